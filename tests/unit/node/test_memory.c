// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a node allocates at the simulator's capacities: all at its creation, within 144 KiB.
#include "tests/unit/node/world.h"

#include "tests/unit/unit.h"

enum {
    // Of which 128 KiB are the node of one chain read by aggregates, and the rest what each RPC
    // provider takes besides: its traffic by the hour, its way of being read, blocks to pin to.
    NODE_BYTES_MAX = 144 * 1024,
    WALLETS = 4,
    WALLETS_BYTES_MAX = 36 * 1024, // of those who deal with some: signatures of up to 4 KiB,
                                   // 9 KiB of them to put beside tombstones
};

static bool counting;
static size_t bytes;
static size_t blocks;

// The linker sends all calls here (--wrap).
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_malloc(size_t size)
{
    bytes += counting ? size : 0;
    blocks += counting;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    bytes += counting ? count * size : 0;
    blocks += counting;
    return __real_calloc(count, size);
}

static size_t bytes_of_node(uint16_t wallets)
{
    struct world *world = world_make(1);
    size_t a = world_add(world,
        (struct world_options){.first = true, .peers = 8, .members = 64, .wallets = wallets});
    struct node *node = NULL;
    bytes = 0;
    blocks = 0;
    counting = true;
    assert_int_equal(
        node_create(&world->nodes[a].config, span_of(NULL, 0), world_now(world, a), &node), OK);
    counting = false;
    print_message("%zu bytes in %zu blocks\n", bytes, blocks);
    node_destroy(node);
    world_free(world);
    assert_true(blocks >= 3); // or nothing was counted
    return bytes;
}

static void a_small_node_stays_within_its_share(void **)
{
    assert_true(bytes_of_node(0) <= NODE_BYTES_MAX);
}

static void wallets_cost_those_who_deal_with_them(void **)
{
    size_t without = bytes_of_node(0);
    assert_true(bytes_of_node(WALLETS) - without <= WALLETS_BYTES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_node_stays_within_its_share),
        cmocka_unit_test(wallets_cost_those_who_deal_with_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

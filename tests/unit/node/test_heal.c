// SPDX-License-Identifier: GPL-3.0-or-later
//
// A phase of faults, drawn from a seed, in which the world checks that nobody gets in who should
// not; then all is mended, and everybody is connected again within a bounded time.
#include "tests/unit/node/world.h"

#include "tests/unit/unit.h"

enum {
    NODES = 6,
    FAULTS = 30,
    FAULT_EVERY_MS = 7000,
    HEAL_MS = 15 * 60000, // the longest back-off of a path, an attempt, and the probe limiter
};

static void fault(struct world *world, struct rng *rng)
{
    size_t index = rng_below(rng, NODES);
    struct world_node *node = &world->nodes[index];
    switch (rng_below(rng, 8)) {
    case 0:
        if (node->node != NULL) {
            world_kill(world, index);
        }
        break;
    case 1:
        if (node->node == NULL) {
            world_up(world, index);
        }
        break;
    case 2:
        world_rebind(world, index);
        break;
    case 3:
        node->cut = !node->cut;
        break;
    case 4:
        node->dht_cut = !node->dht_cut;
        break;
    case 5:
        node->chain = node->chain == FAULT_NONE ? FAULT_DEAD : FAULT_NONE;
        break;
    case 6:
        world->model.providers[rng_below(rng, WORLD_PROVIDERS)].fault =
            rng_below(rng, 2) == 0 ? FAULT_HTML : FAULT_NONE;
        break;
    case 7:
        node->mute = !node->mute;
        break;
    }
}

static void heal(struct world *world)
{
    for (size_t i = 0; i < WORLD_PROVIDERS; i++) {
        world->model.providers[i].fault = FAULT_NONE;
    }
    for (size_t i = 0; i < NODES; i++) {
        struct world_node *node = &world->nodes[i];
        node->cut = false;
        node->dht_cut = false;
        node->mute = false;
        node->chain = FAULT_NONE;
        if (node->node == NULL) {
            world_up(world, i);
        }
    }
}

static bool all_connected(struct world *world)
{
    for (size_t i = 0; i < NODES; i++) {
        if (world_status(world, i).connected != NODES - 1) {
            return false;
        }
    }
    return true;
}

static void run_seed(uint8_t number)
{
    struct world *world = world_make(number);
    uint8_t seed[RNG_SEED_SIZE] = {number};
    struct rng rng;
    rng_seed(&rng, seed);
    world->grace_s = 630; // from the last yes, on readings that hold for 30 s
    for (size_t i = 0; i < NODES; i++) {
        enum nat_kind nat = i < 2 ? KIND_PUBLIC : KIND_PORT_RESTRICTED;
        (void)world_add(
            world, (struct world_options){.first = i == 0, .nat = nat, .grace_ms = 600000});
        world_up(world, i);
        world_run(world, 1000);
    }
    for (size_t i = 0; i < FAULTS; i++) {
        fault(world, &rng);
        world_run(world, rng_below(&rng, 2 * FAULT_EVERY_MS));
    }
    heal(world);
    uint64_t since = world->now;
    while (!all_connected(world) && world->now < since + HEAL_MS) {
        world_run(world, 1000);
    }
    print_message("seed %u: healed after %u s\n", number, (unsigned)((world->now - since) / 1000));
    for (size_t i = 0; i < NODES && !all_connected(world); i++) {
        for (uint64_t token = 1; token <= NODES; token++) {
            struct node_peer_status status;
            if (world_peer_status(world, i, token, &status) && status.stage != STAGE_CONNECTED) {
                print_message("  node %zu, token %u: %s, %s\n", i, (unsigned)token,
                    peer_stage_name(status.stage), path_why_text(status.why));
            }
        }
    }
    assert_true(all_connected(world));
    world_free(world);
}

static void whatever_happened_all_connect_again(void **)
{
    for (uint8_t number = 1; number <= 6; number++) {
        run_seed(number);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happened_all_connect_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

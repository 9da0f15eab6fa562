// SPDX-License-Identifier: GPL-3.0-or-later
//
// What arrives on WireGuard's port: an accepted message lies within its datagram and its maxima,
// its answer is never larger, and no path machine is upset by it.
#include "nat/nat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_within(struct span datagram, struct span part, size_t size_max)
{
    ASSERT(part.size <= size_max);
    ASSERT(part.size == 0 ||
           (part.data >= datagram.data && part.data + part.size <= datagram.data + datagram.size));
}

static void check_message(struct span datagram, const struct stun_message *message)
{
    check_within(datagram, message->record, STUN_RECORD_MAX);
    check_within(datagram, message->intent, STUN_INTENT_MAX);
    check_within(datagram, message->manifest, STUN_MANIFEST_MAX);
    check_within(datagram, message->authenticated, datagram.size);
    ASSERT(message->size == datagram.size);
    ASSERT(message->unknown_count <= STUN_UNKNOWN_MAX);
    ASSERT(message->kind == STUN_REQUEST || message->unknown_count == 0);
    ASSERT(!message->has_mac || message->authenticated.size >= STUN_HEADER_SIZE);
    ASSERT(message->method != STUN_BINDING || message->kind != STUN_SUCCESS ||
           address_is_set(&message->mapped));
    ASSERT(message->method != STUN_INTENT || message->intent.size > 0);
}

static void give_to_reflector(const struct stun_message *message)
{
    static const uint8_t manifest[STUN_MANIFEST_MAX];
    const struct address from = address_of_ipv4(198, 51, 100, 2, 40000);
    const struct mono now = {.ms = 1};
    struct reflector reflector;
    uint8_t room[STUN_MESSAGE_MAX];
    struct writer writer = writer_of(room, sizeof room);
    reflector_init(&reflector);
    enum status status = reflector_answer(
        &reflector, now, &from, message, span_of(manifest, sizeof manifest), &writer);
    ASSERT(status != OK || writer.size <= message->size);
    ASSERT(status != OK || stun_is(writer_written(&writer)));
}

static void give_to_machines(const struct stun_message *message)
{
    static const struct path_config config = {.prepunch_ttl = 2};
    static const struct probe_key key; // all zero: as the tag of a seed
    static const uint8_t seed[RNG_SEED_SIZE];
    const struct address from = address_of_ipv4(198, 51, 100, 2, 40000);
    const struct mono now = {.ms = 1};
    struct path path;
    struct mapping mapping;
    struct probe_limiter limiter;
    struct limiter_entry entries[2];
    struct rng rng;
    struct path_output output;
    rng_seed(&rng, seed);
    limiter_init(&limiter, entries, 2);
    path_init(&path, &config, &key);
    if (path_on_probe(&path, now, &limiter, &from, message) == OK) {
        while (path_next_output(&path, now, &limiter, &rng, &output)) {
        }
    }
    mapping_init(&mapping, 51820);
    if (mapping_reflector_add(&mapping, now, &from) == OK) {
        mapping_on_deadline(&mapping, now, &rng);
        mapping.reflectors[0].transaction = message->transaction;
        (void)!mapping_on_response(&mapping, now, &from, message);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span datagram = span_of(data, size);
    struct stun_message message;
    enum status status = stun_decode(datagram, &message);
    ASSERT(status != OK || stun_is(datagram));
    if (status == OK) {
        check_message(datagram, &message);
        give_to_reflector(&message);
        give_to_machines(&message);
    }
    return 0;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a WireGuard device answers: a state that is accepted stays within its arrays and is whole.
#include "wg/uapi.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_state(const struct wg_device_state *state)
{
    ASSERT(state->peer_count <= state->peer_capacity);
    ASSERT(state->allowed_count <= state->allowed_capacity);
    size_t allowed = 0;
    for (size_t i = 0; i < state->peer_count; i++) {
        const struct wg_peer_state *peer = &state->peers[i];
        ASSERT(peer->allowed_first == allowed);
        ASSERT(!address_is_set(&peer->endpoint) || peer->endpoint.port != 0);
        allowed += peer->allowed_count;
    }
    ASSERT(allowed == state->allowed_count);
    for (size_t i = 0; i < allowed; i++) {
        ASSERT(prefix_contains(&state->allowed[i], &state->allowed[i].base));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wg_peer_state peers[4];
    struct prefix allowed[6];
    struct wg_device_state state = {
        .peers = peers, .peer_capacity = 4, .allowed = allowed, .allowed_capacity = 6};
    uint32_t error = 0;
    if (uapi_parse_state(span_of(data, size), &state, &error) == OK && error == 0) {
        check_state(&state);
    }
    if (uapi_parse_reply(span_of(data, size), &error) == OK) {
        ASSERT(error <= INT32_MAX);
    }
    return 0;
}

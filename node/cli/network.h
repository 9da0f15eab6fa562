// SPDX-License-Identifier: GPL-3.0-or-later
//
// The manifest as the command handles it: shown, pinned, compared with what is pinned.
#pragma once

#include "dht/manifest.h"
#include "node/cli/cli.h"

enum {
    STATE_MANIFEST_VERSION = 1, // content version of the state file
};

// The pinned manifest. DONE, or an exit code after having said why; if there is none and `ret_none`
// is not NULL, DONE with *ret_none = true.
int pinned_manifest(
    struct cli *cli, const struct state *state, struct manifest *ret, bool *ret_none);

// --chain-id and --contract. DONE, or an exit code after having said what is wrong with them.
int network_option(struct cli *cli, struct network *ret);

// The network that a verb is about: the pinned manifest's, or as --chain-id and --contract name it
// where none is pinned; then the rest of `ret` holds what every network has. `state` NULL = nothing
// is kept here. DONE, or an exit code after having said why; two networks are an error.
int chosen_network(struct cli *cli, const struct state *state, struct manifest *ret);

// Lines for people, or the members of a JSON object.
void manifest_say(const struct manifest *manifest);
json_t *manifest_json(const struct manifest *manifest);

// Complains about the first thing that the manifest asks for and must not: its own bounds, and what
// its suggested providers are. `allow_http` is the local switch.
int check_manifest(struct cli *cli, const struct manifest *manifest, bool allow_http);

// Complains if a delegation of this instance is for another network than the manifest's.
int check_delegations(struct cli *cli, const struct state *state, const struct manifest *manifest);

// Asks every address of the endpoint for its manifest (STUN-framed, on the DHT port) until one
// answers or the time is over. `ret` holds the signed bytes. With `fingerprint`, only a manifest of
// that authority counts; without, two authorities in the answers are an error that lists both.
int manifest_fetch(struct cli *cli, const struct endpoint_name *endpoint,
    const struct dht_key *fingerprint, uint64_t timeout_ms, uint8_t ret[static MANIFEST_MAX_SIZE],
    size_t *ret_size);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// One network, keys from fixed seeds, and sample values: what all tests of dht/ start from.
#pragma once

#include "dht/dht.h"

enum {
    // 2026-11-21 12:00:00 UTC, the instant of all samples.
    FIXTURE_TIME_S = 1795262400,
};

struct fixture_node {
    struct node_secret secret;
    struct node_key key;
};

struct unix_time fixture_unix_time(void);
struct now fixture_now(void);

// `seed` fills the 32 bytes of the Ed25519 seed.
struct fixture_node fixture_node(uint8_t seed);

struct network fixture_network(void);
struct network_keys fixture_keys(void);
struct network_keys fixture_secret_keys(void);

struct candidate fixture_candidate_ipv4(uint8_t last, uint16_t port);
struct candidate fixture_candidate_ipv6(uint8_t last, uint16_t port);
struct candidate fixture_candidate_relay(uint64_t token);
struct candidate fixture_candidate_name(const char *name);

// Token 7 sits at `node`; an EIP-712 delegation with a made-up signature, four candidates.
struct record fixture_record(const struct fixture_node *node);
struct record fixture_tombstone(void);

// From token 7 at `sender` to token 8.
struct intent fixture_intent(const struct fixture_node *sender);
struct manifest fixture_manifest(const struct fixture_node *authority);

// Compares with tests/unit/dht/golden/NAME.hex; fails the test if they differ. With the environment
// variable DEEDMESH_WRITE_GOLDEN set it writes the file instead.
void fixture_check_golden(const char *name, struct span bytes);

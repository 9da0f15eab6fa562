// SPDX-License-Identifier: GPL-3.0-or-later
//
// Identities. Each wraps an array, so that the compiler tells a WireGuard key from a node key.
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

// An ERC-721 token id: 256 bits, big-endian. It is the member.
struct token_id {
    uint8_t bytes[32];
};

// An Ed25519 public key, made by the node; it signs records.
struct node_key {
    uint8_t bytes[32];
};

// An X25519 public key: the node's WireGuard key.
struct wg_key {
    uint8_t bytes[32];
};

// An account or contract on an EVM chain.
struct eth_address {
    uint8_t bytes[20];
};

// A place in the DHT (OpenDHT's infohash).
struct dht_key {
    uint8_t bytes[20];
};

// A 256-bit digest whose function is named where it is used.
struct hash256 {
    uint8_t bytes[32];
};

// BLAKE2b-256("deedmesh/1 network" | chain id u64 BE | contract 20 B): public and fixed.
struct network_id {
    uint8_t bytes[32];
};

// A network is a contract on a chain, nothing else.
struct network {
    uint64_t chain_id;
    struct eth_address contract;
};

// Ed25519 secret key in libsodium's form: 32 B seed, then 32 B public key.
struct node_secret {
    uint8_t bytes[64];
};

// X25519 secret key.
struct wg_secret {
    uint8_t bytes[32];
};

static const struct token_id token_id_zero = {{0}};
static const struct node_key node_key_zero = {{0}};

struct network_id network_id_of(const struct network *network);

struct token_id token_id_of_u64(uint64_t value);

// True and the value if the id fits 64 bits; false otherwise.
bool token_id_to_u64(const struct token_id *token, uint64_t *ret);

// Total orders (big-endian numeric); <0, 0, >0. Use these, never pointers, to sort.
int token_id_compare(const struct token_id *a, const struct token_id *b);
int node_key_compare(const struct node_key *a, const struct node_key *b);

bool token_id_equal(const struct token_id *a, const struct token_id *b);
bool node_key_equal(const struct node_key *a, const struct node_key *b);
bool wg_key_equal(const struct wg_key *a, const struct wg_key *b);
bool eth_address_equal(const struct eth_address *a, const struct eth_address *b);
bool dht_key_equal(const struct dht_key *a, const struct dht_key *b);
bool hash256_equal(const struct hash256 *a, const struct hash256 *b);

bool node_key_is_zero(const struct node_key *key);
bool eth_address_is_zero(const struct eth_address *address);

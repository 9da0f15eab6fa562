// SPDX-License-Identifier: GPL-3.0-or-later
//
// The manifest: what a newcomer needs to know of a network, signed by its authority key. It says
// which chain and contract decide; it admits nobody and lowers no local setting.
#pragma once

#include "base/address.h"
#include "base/profile.h"
#include "dht/key.h"

enum {
    MANIFEST_MAX_SIZE = DHT_VALUE_MAX_SIZE,
    MANIFEST_RPC_MAX = 3,
    MANIFEST_URL_MAX_SIZE = 160,
    MANIFEST_POLL_MIN_S = 2,
    MANIFEST_POLL_MAX_S = 30,
    MANIFEST_GRACE_MAX_S = 3600,
    MANIFEST_WINDOW_MAX_DAYS = 366,
    MANIFEST_PREFIX_MIN_LENGTH = 12, // a network may not claim more than 2^20 addresses
    MANIFEST_PREFIX_MAX_LENGTH = 30,
    FINGERPRINT_TEXT_SIZE = 33, // 32 characters of base32, NUL
};

struct rpc_url {
    uint8_t size;
    char text[MANIFEST_URL_MAX_SIZE + 1]; // NUL-terminated
};

// `authority` is an Ed25519 key in the form of a node key.
struct manifest {
    struct node_key authority;
    uint32_t version; // from 1; a higher one replaces
    struct network network;
    enum contract_profile profile;
    struct prefix ipv4;
    uint32_t poll_s;
    uint32_t grace_s;
    uint32_t delegation_window_days;
    uint8_t rpc_count;
    struct rpc_url rpc[MANIFEST_RPC_MAX];
};

// What is wrong with what a manifest asks for. X(name, text): the text says it to a person.
#define MANIFEST_PROBLEM_LIST(X)                                                                   \
    X(MANIFEST_FINE, "nothing")                                                                    \
    X(MANIFEST_VERSION_ZERO, "its version is zero")                                                \
    X(MANIFEST_CHAIN_ZERO, "its chain id is zero")                                                 \
    X(MANIFEST_CONTRACT_ZERO, "its contract address is zero")                                      \
    X(MANIFEST_PREFIX_NOT_IPV4, "its prefix is not IPv4")                                          \
    X(MANIFEST_PREFIX_PUBLIC, "its IPv4 prefix is not private address space")                      \
    X(MANIFEST_PREFIX_LENGTH, "its IPv4 prefix is shorter than /12 or longer than /30")            \
    X(MANIFEST_POLL, "its poll interval is not 2 to 30 seconds")                                   \
    X(MANIFEST_GRACE, "its grace time is over an hour")                                            \
    X(MANIFEST_WINDOW, "its delegation window is not 1 to 366 days")                               \
    X(MANIFEST_RPC_MALFORMED, "a suggested RPC URL is malformed or carries credentials")           \
    X(MANIFEST_RPC_HTTP, "a suggested RPC URL is plain http")

#define MANIFEST_ENUM_ENTRY(name, text) name,
enum manifest_problem { MANIFEST_PROBLEM_LIST(MANIFEST_ENUM_ENTRY) };
#undef MANIFEST_ENUM_ENTRY

const char *manifest_problem_text(enum manifest_problem problem);

// What another manifest means to one who has pinned one.
enum manifest_update {
    MANIFEST_SAME,
    MANIFEST_NEWER,           // take it
    MANIFEST_OLDER,           // a replay: keep the pinned one
    MANIFEST_CONFLICTING,     // same version, other content: the authority signed twice
    MANIFEST_OTHER_AUTHORITY, // this and the following: another network; an error to show
    MANIFEST_CHAIN_CHANGED,
    MANIFEST_CONTRACT_CHANGED,
    MANIFEST_PROFILE_CHANGED,
    MANIFEST_PREFIX_CHANGED,
};

// Encodes and signs with `secret`, whose public half must be manifest->authority. ERR_RANGE: it
// has a problem even with allow_http. ERR_TOO_LARGE: the URLs together are too long.
enum status manifest_encode(const struct manifest *manifest, const struct node_secret *secret,
    uint8_t ret[static MANIFEST_MAX_SIZE], size_t *ret_size);

// Form and signature of hostile bytes; whether to accept what it asks for is manifest_check's.
// ERR_TOO_LARGE, ERR_TRUNCATED, ERR_TRAILING, ERR_MALFORMED, ERR_NOT_CANONICAL, ERR_RANGE,
// ERR_VERSION, ERR_SIGNATURE: refuse it.
enum status manifest_decode(struct span value, struct manifest *ret);

// As manifest_decode without the signature, for callers that put a budget between the two.
enum status manifest_parse(struct span value, struct manifest *ret);

// The first problem. `allow_http`, the user's local switch, admits plain http. Which hosts a URL
// may name is not judged here: chain_url_check does it, before anything connects.
enum manifest_problem manifest_check(const struct manifest *manifest, bool allow_http);

enum manifest_update manifest_check_update(
    const struct manifest *pinned, const struct manifest *other);

// The fingerprint is key_of_manifest(authority) in lower-case base32 (RFC 4648, no padding): 32
// characters, and enough to fetch the manifest from the DHT. Parsing takes either case.
// ERR_MALFORMED: not of this form.
void fingerprint_format(const struct dht_key *key, char ret[static FINGERPRINT_TEXT_SIZE]);
enum status fingerprint_parse(struct span text, struct dht_key *ret);

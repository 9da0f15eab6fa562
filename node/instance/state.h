// SPDX-License-Identifier: GPL-3.0-or-later
//
// The state directory of one instance, /var/lib/deedmesh/NAME (0700): keys, the pinned manifest,
// delegations, and what the node must remember across restarts.
//
// Every file is written whole: to a temporary name beside it, synced, renamed, the directory
// synced. A crash or a full disk leaves the old file. Every file carries a header and a checksum,
// so a file that was cut short, damaged or written by another version is an error that names it
// and the next step; nothing is ever silently taken for absent.
//
//    0                8    10   12   14  16            20
//    +----------------+----+----+----+---+-------------+---- - - ----+--------------------+
//    | "DEEDMESH"     | 1  |kind|version | size u32    | content     | BLAKE2b-256 of all |
//    +----------------+----+----+--------+-------------+---- - - ----+ before, 32 B       |
//                                                                    +--------------------+
//    u16 format, u16 kind, u16 content version, u16 zero; big-endian
//
// Calls block on the disk. They keep no pointer and touch nothing shared but the directory, so a
// daemon may run them on a worker thread, one at a time.
#pragma once

#include "base/delegation.h"
#include "base/ids.h"

enum state_kind {
    STATE_NODE_KEY = 1,       // "node.key"; secret, 0600
    STATE_WG_KEY = 2,         // "wireguard.key"; secret
    STATE_AUTHORITY = 3,      // "authority.key"; secret, only where the network was started
    STATE_MANIFEST = 4,       // "manifest": the signed bytes as pinned
    STATE_DELEGATION = 5,     // "delegation-TOKEN", one a token
    STATE_CORE = 6,           // "core": opaque bytes of the node core
    STATE_DHT_NODES = 7,      // "dht-nodes": opaque bytes of the DHT engine
    STATE_DRAFT = 8,          // "draft": the delegation that a wallet was last asked to sign
    STATE_PENDING = 9,        // "transaction": what is under way to the chain (journal.h)
    STATE_NODE_KEY_NEXT = 10, // "node.key.next": of a rotation under way (next_keys.h)
    STATE_WG_KEY_NEXT = 11,   // "wireguard.key.next"
};

enum {
    STATE_CONTENT_MAX = 16 * 1024 * 1024,
    STATE_ERROR_SIZE = 768,
    STATE_DELEGATIONS_MAX = 64,
    STATE_SIGNATURE_MAX = 4096,
};

// One instance's directory, held open.
struct state;

// What a person reads: the file, the reason, the next step.
struct state_error {
    char text[STATE_ERROR_SIZE];
};

enum state_access {
    STATE_EXISTING, // ERR_NOT_FOUND if the directory is absent
    STATE_CREATE,   // makes it, 0700, and its parent, 0755
};

// Opens ROOT/INSTANCE. ERR_NOT_FOUND, ERR_PERMISSION (also when others may enter it: it must be
// 0700 and the caller's own), ERR_IO. `*ret` is set only on success; close it with state_close.
enum status state_open(const char *root, const char *instance, enum state_access access,
    struct state **ret, struct state_error *error);

// Accepts NULL. Releases the lock.
void state_close(struct state *state);

// The directory's path, valid until state_close.
const char *state_path(const struct state *state);

// Makes this process the instance's only daemon, until state_close or its end. ERR_BUSY if
// another process is; ERR_IO.
enum status state_lock(struct state *state, struct state_error *error);

// Content of a file; free it with state_content_clear, which wipes it first.
struct state_content {
    uint8_t *data;
    size_t size;
    uint16_t version;
};

void state_content_clear(struct state_content *content);

// Reads a file of a single-file kind (not STATE_DELEGATION). `version` is the content version that
// the caller understands. ERR_NOT_FOUND (no such file: a decision of the caller, `error` filled
// all the same), ERR_TRUNCATED, ERR_MALFORMED (damaged), ERR_VERSION, ERR_PERMISSION (a secret
// that others may read, or not ours to read), ERR_IO. Show `error` and stop.
enum status state_read(const struct state *state, enum state_kind kind, uint16_t version,
    struct state_content *ret, struct state_error *error);

// Replaces a file of a single-file kind. On ERR_IO (disk full, ...) the old file stands.
enum status state_write(const struct state *state, enum state_kind kind, uint16_t version,
    struct span content, struct state_error *error);

// As state_write, but ERR_EXISTS if the file is there already: keys are never overwritten.
enum status state_write_new(const struct state *state, enum state_kind kind, uint16_t version,
    struct span content, struct state_error *error);

// ERR_NOT_FOUND, ERR_IO.
enum status state_remove(
    const struct state *state, enum state_kind kind, struct state_error *error);

// The keys, through the calls above, content version 1. A file of the wrong size is ERR_MALFORMED.
enum status state_node_key_read(
    const struct state *state, struct node_secret *ret, struct state_error *error);
enum status state_node_key_write_new(
    const struct state *state, const struct node_secret *key, struct state_error *error);
enum status state_wg_key_read(
    const struct state *state, struct wg_secret *ret, struct state_error *error);
enum status state_wg_key_write_new(
    const struct state *state, const struct wg_secret *key, struct state_error *error);

// The public halves.
struct node_key node_secret_public(const struct node_secret *secret);
struct wg_key wg_secret_public(const struct wg_secret *secret);

// A delegation pins the network it was signed for: with another manifest it is of no use.
struct state_delegation {
    struct network network;
    struct delegation delegation;
    // DELEGATION_EIP1271_HASHED: the signature that it names, `delegation.hashed_size` bytes.
    uint8_t signature[STATE_SIGNATURE_MAX];
};

// That signature; empty for all other kinds. Valid as long as `delegation`.
struct span state_delegation_signature(const struct state_delegation *delegation);

// Replaces the delegation of its token. As state_write.
enum status state_delegation_write(const struct state *state,
    const struct state_delegation *delegation, struct state_error *error);

// ERR_NOT_FOUND if there is none for this token; as state_read otherwise.
enum status state_delegation_read(const struct state *state, const struct token_id *token,
    struct state_delegation *ret, struct state_error *error);

// The one unsigned delegation whose typed data was printed last, and its like.
enum status state_draft_write(const struct state *state, const struct state_delegation *delegation,
    struct state_error *error);
enum status state_draft_read(
    const struct state *state, struct state_delegation *ret, struct state_error *error);

// The tokens that have a delegation here, smallest first. ERR_FULL over the capacity, ERR_IO.
enum status state_delegation_tokens(const struct state *state,
    struct token_id ret[static STATE_DELEGATIONS_MAX], size_t *ret_count,
    struct state_error *error);

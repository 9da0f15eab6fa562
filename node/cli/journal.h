// SPDX-License-Identifier: GPL-3.0-or-later
//
// The transaction that an instance has under way: kept from before it is first sent until its
// outcome is known, so that an interrupted command never leads to a second one. One at a time; a
// lock keeps two commands apart.
//
// The file is the state directory's "transaction" (0600): when it was signed, what it is for in
// words, and the signed bytes, in every version that was sent (see `--replace`). Everything else is
// read from these bytes.
#pragma once

#include "chain/transaction.h"
#include "node/cli/cli.h"

enum {
    JOURNAL_VERSIONS_MAX = 8,
    JOURNAL_PURPOSE_SIZE = 200,
};

// One signed form. All of an entry have the same sender, nonce and chain.
struct journal_version {
    uint8_t *raw; // owned
    size_t size;
    struct hash256 hash;
    struct transaction transaction; // its data lies in `raw`
};

struct journal_entry {
    uint64_t created_s;
    char purpose[JOURNAL_PURPOSE_SIZE];
    struct eth_address sender;
    size_t count;                                          // 0 = nothing is under way
    struct journal_version versions[JOURNAL_VERSIONS_MAX]; // the last one is the one to send
};

struct journal;

// Opens it, and takes the lock. DONE, or an exit code after having said why: no state directory, or
// another command has the lock.
int journal_open(struct cli *cli, struct journal **ret);

// Releases the lock. Accepts NULL.
void journal_close(struct journal *journal);

// What is under way, or an entry with count 0; to be cleared. A damaged file is an error.
int journal_read(struct journal *journal, struct journal_entry *ret);

// Replaces the file; on disk when it returns.
int journal_write(struct journal *journal, const struct journal_entry *entry);

// Nothing is under way any more. Absent is fine.
int journal_remove(struct journal *journal);

// Adds a signed form, a copy. ERR_FULL: there are JOURNAL_VERSIONS_MAX. As transaction_read for
// bytes that are no transaction; ERR_MISMATCH: of another sender, nonce or chain than the others.
enum status journal_entry_add(struct journal_entry *entry, struct span raw);

void journal_entry_clear(struct journal_entry *entry);

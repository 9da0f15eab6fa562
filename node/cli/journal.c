// SPDX-License-Identifier: GPL-3.0-or-later
//
// The journal's content, version 1:
//
//   u64 seconds | u16 size, purpose | u8 versions | (u32 size, signed transaction) x versions
#include "node/cli/journal.h"

#include "chain/keccak.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum {
    JOURNAL_VERSION = 1,
    JOURNAL_SIZE_MAX = 16 + JOURNAL_PURPOSE_SIZE + JOURNAL_VERSIONS_MAX * (4 + TRANSACTION_MAX),
};

struct journal {
    struct cli *cli;
    struct state *state;
    int lock;
};

// --- entries ---

void journal_entry_clear(struct journal_entry *entry)
{
    for (size_t i = 0; i < entry->count; i++) {
        free(entry->versions[i].raw);
    }
    *entry = (struct journal_entry){0};
}

enum status journal_entry_add(struct journal_entry *entry, struct span raw)
{
    struct journal_version version = {.size = raw.size};
    struct eth_address sender;
    if (entry->count == JOURNAL_VERSIONS_MAX) {
        return ERR_FULL;
    }
    if (raw.size > TRANSACTION_MAX) {
        return ERR_TOO_LARGE;
    }
    version.raw = malloc(raw.size + 1);
    uint8_t *room = malloc(raw.size + 1);
    ASSERT(version.raw != NULL && room != NULL);
    if (raw.size > 0) {
        memcpy(version.raw, raw.data, raw.size);
    }
    struct writer scratch = writer_of(room, raw.size);
    enum status status = transaction_read(
        span_of(version.raw, version.size), &scratch, &version.transaction, &sender);
    free(room);
    if (status == OK && entry->count > 0) {
        const struct transaction *first = &entry->versions[0].transaction;
        bool same = eth_address_equal(&sender, &entry->sender) &&
                    first->nonce == version.transaction.nonce &&
                    first->chain_id == version.transaction.chain_id;
        status = same ? OK : ERR_MISMATCH;
    }
    if (status != OK) {
        free(version.raw);
        return status;
    }
    version.hash = keccak256(span_of(version.raw, version.size));
    entry->sender = sender;
    entry->versions[entry->count++] = version;
    return OK;
}

static enum status decode(struct span content, struct journal_entry *ret)
{
    struct reader reader = reader_of(content);
    struct journal_entry entry = {.created_s = read_u64(&reader)};
    struct span purpose = read_span(&reader, read_u16(&reader));
    size_t count = read_u8(&reader);
    if (purpose.size >= sizeof entry.purpose || count == 0) {
        reader_fail(&reader, ERR_MALFORMED);
    } else if (purpose.size > 0) {
        memcpy(entry.purpose, purpose.data, purpose.size);
    }
    enum status status = OK;
    for (size_t i = 0; i < count && status == OK && reader.failure == OK; i++) {
        struct span raw = read_span(&reader, read_u32(&reader));
        status = reader.failure == OK ? journal_entry_add(&entry, raw) : OK;
    }
    status = status == OK ? reader_finish(&reader) : status;
    if (status != OK) {
        journal_entry_clear(&entry);
        return status;
    }
    *ret = entry;
    return OK;
}

static void encode(const struct journal_entry *entry, struct writer *writer)
{
    struct span purpose = span_of_text(entry->purpose);
    write_u64(writer, entry->created_s);
    write_u16(writer, (uint16_t)purpose.size);
    write_span(writer, purpose);
    write_u8(writer, (uint8_t)entry->count);
    for (size_t i = 0; i < entry->count; i++) {
        const struct journal_version *version = &entry->versions[i];
        write_u32(writer, (uint32_t)version->size);
        write_bytes(writer, version->raw, version->size);
    }
}

// --- the file ---

// The kernel releases the lock when the process ends, however it does.
static int take_lock(struct journal *journal)
{
    char path[PATH_MAX];
    int size = snprintf(path, sizeof path, "%s/transaction.lock", state_path(journal->state));
    if (size < 0 || (size_t)size >= sizeof path) {
        return complain(
            journal->cli, FAILED, "io", "%s: the path is too long", state_path(journal->state));
    }
    journal->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (journal->lock < 0) {
        return complain(journal->cli, FAILED, "io", "%s: %s", path, strerror(errno));
    }
    if (flock(journal->lock, LOCK_EX | LOCK_NB) != 0) {
        return complain(journal->cli, FAILED, "busy",
            "another deedmesh command is sending a transaction for %s, or waiting for one; let it "
            "end first",
            journal->cli->instance);
    }
    return DONE;
}

int journal_open(struct cli *cli, struct journal **ret)
{
    int result = DONE;
    struct state *state = open_state(cli, STATE_CREATE, &result);
    if (state == NULL) {
        return result;
    }
    struct journal *journal = calloc(1, sizeof *journal);
    ASSERT(journal != NULL);
    *journal = (struct journal){.cli = cli, .state = state, .lock = -1};
    result = take_lock(journal);
    if (result != DONE) {
        journal_close(journal);
        return result;
    }
    *ret = journal;
    return DONE;
}

void journal_close(struct journal *journal)
{
    if (journal != NULL) {
        if (journal->lock >= 0) {
            (void)close(journal->lock);
        }
        state_close(journal->state);
        free(journal);
    }
}

int journal_read(struct journal *journal, struct journal_entry *ret)
{
    struct state_content content;
    struct state_error error;
    *ret = (struct journal_entry){0};
    enum status status =
        state_read(journal->state, STATE_PENDING, JOURNAL_VERSION, &content, &error);
    if (status == ERR_NOT_FOUND) {
        return DONE;
    }
    if (status != OK) {
        return complain_state(journal->cli, status, &error);
    }
    status = decode(span_of(content.data, content.size), ret);
    state_content_clear(&content);
    return status == OK ? DONE
                        : complain(journal->cli, FAILED, "state",
                              "%s/transaction: %s; a transaction may be under way: look at the "
                              "account in a block explorer, then move the file away",
                              state_path(journal->state), status_text(status));
}

int journal_write(struct journal *journal, const struct journal_entry *entry)
{
    struct state_error error;
    uint8_t *bytes = malloc(JOURNAL_SIZE_MAX);
    ASSERT(bytes != NULL && entry->count > 0);
    struct writer writer = writer_of(bytes, JOURNAL_SIZE_MAX);
    encode(entry, &writer);
    ASSERT(writer_finish(&writer) == OK);
    enum status status = state_write(
        journal->state, STATE_PENDING, JOURNAL_VERSION, writer_written(&writer), &error);
    free(bytes);
    return status == OK ? DONE : complain_state(journal->cli, status, &error);
}

int journal_remove(struct journal *journal)
{
    struct state_error error;
    enum status status = state_remove(journal->state, STATE_PENDING, &error);
    return status == OK || status == ERR_NOT_FOUND ? DONE
                                                   : complain_state(journal->cli, status, &error);
}

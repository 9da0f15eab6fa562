// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whole files, written atomically and read with their checksum.
#include "node/instance/state.h"

#include "base/bytes.h"
#include "base/text.h"
#include "dht/piece.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HEADER_SIZE = 20,
    CHECKSUM_SIZE = 32,
    FORMAT = 1,
    NAME_SIZE = 128,
    KEY_VERSION = 1,
};

static const uint8_t magic[8] = {'D', 'E', 'E', 'D', 'M', 'E', 'S', 'H'};

struct state {
    int directory;
    int lock; // -1 = not held
    char path[PATH_MAX];
};

static const struct {
    const char *name;
    bool secret;
    const char *recovery; // what a person does when the file cannot be used
} kinds[] = {
    [STATE_NODE_KEY] = {"node.key", true,
        "restore it from a backup, or move it away, run `deedmesh keygen` and authorize the new "
        "key with `deedmesh authorize`"},
    [STATE_WG_KEY] = {"wireguard.key", true,
        "restore it from a backup, or move it away and run `deedmesh keygen`"},
    [STATE_AUTHORITY] = {"authority.key", true,
        "restore it from a backup; without it the network's manifest can never be changed"},
    [STATE_MANIFEST] = {"manifest", false,
        "move it away and run `deedmesh join` again, with the fingerprint"},
    [STATE_DELEGATION] = {"delegation-", false,
        "move it away and run `deedmesh authorize` for its token again"},
    [STATE_CORE] = {"core", false,
        "restore it from a backup, or move it away: the node then starts without what it knew of "
        "other members, and without grace"},
    [STATE_DHT_NODES] = {"dht-nodes", false,
        "move it away: the node then starts from its bootstrap addresses"},
    [STATE_NODE_KEY_NEXT] = {"node.key.next", true, "remove it and run `deedmesh rotate` again"},
    [STATE_WG_KEY_NEXT] = {"wireguard.key.next", true,
        "remove it and run `deedmesh rotate --wg` again"},
    [STATE_DRAFT] = {"draft", false, "remove it and run `deedmesh authorize` again"},
    [STATE_PENDING] = {"transaction", true,
        "a transaction may be under way: look at the account in a block explorer, then move it "
        "away"},
};

__attribute__((format(printf, 3, 4))) static enum status fail(
    enum status status, struct state_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return status;
}

// A failed system call; errno says which way.
static enum status fail_errno(
    const struct state *state, const char *name, const char *what, struct state_error *error)
{
    int failure = errno;
    enum status status = ERR_IO;
    const char *next = "";
    if (failure == EACCES || failure == EPERM) {
        status = ERR_PERMISSION;
        next = "; run it as the user who owns the state directory (root)";
    } else if (failure == ENOENT) {
        status = ERR_NOT_FOUND;
        next = strcmp(name, kinds[STATE_NODE_KEY].name) == 0 ||
                       strcmp(name, kinds[STATE_WG_KEY].name) == 0
                   ? "; run `deedmesh keygen` first"
                   : "";
    } else if (failure == ENOSPC || failure == EDQUOT || failure == EFBIG) {
        next = "; the old file is unchanged: free some space";
    }
    return fail(
        status, error, "%s/%s: cannot %s: %s%s", state->path, name, what, strerror(failure), next);
}

// --- the directory ---

static enum status make_directories(const char *root, const char *path, struct state_error *error)
{
    if (mkdir(root, 0755) != 0 && errno != EEXIST) {
        return fail(errno == EACCES || errno == EPERM ? ERR_PERMISSION : ERR_IO, error,
            "%s: cannot make the directory: %s", root, strerror(errno));
    }
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return fail(errno == EACCES || errno == EPERM ? ERR_PERMISSION : ERR_IO, error,
            "%s: cannot make the directory: %s", path, strerror(errno));
    }
    return OK;
}

static enum status check_directory(const struct state *state, struct state_error *error)
{
    struct stat info;
    if (fstat(state->directory, &info) != 0) {
        return fail(ERR_IO, error, "%s: %s", state->path, strerror(errno));
    }
    if (info.st_uid != geteuid()) {
        return fail(ERR_PERMISSION, error,
            "%s belongs to user %u; run it as that user, or change the owner", state->path,
            (unsigned)info.st_uid);
    }
    if ((info.st_mode & 077) != 0) {
        return fail(ERR_PERMISSION, error,
            "%s holds keys but others may enter it; run: chmod 700 %s", state->path, state->path);
    }
    return OK;
}

enum status state_open(const char *root, const char *instance, enum state_access access,
    struct state **ret, struct state_error *error)
{
    error->text[0] = '\0';
    struct state *state = calloc(1, sizeof *state);
    if (state == NULL) {
        return fail(ERR_IO, error, "%s: no memory", root);
    }
    *state = (struct state){.directory = -1, .lock = -1};
    enum status status = OK;
    int size = snprintf(state->path, sizeof state->path, "%s/%s", root, instance);
    if (size < 0 || (size_t)size >= sizeof state->path) {
        status = fail(ERR_IO, error, "%s: the path is too long", root);
        goto out;
    }
    if (access == STATE_CREATE) {
        status = make_directories(root, state->path, error);
        if (status != OK) {
            goto out;
        }
    }
    state->directory = open(state->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (state->directory < 0) {
        int failure = errno;
        if (failure == ENOENT) {
            status = fail(ERR_NOT_FOUND, error,
                "%s does not exist; run `deedmesh keygen` for this instance first", state->path);
        } else {
            status = fail(failure == EACCES ? ERR_PERMISSION : ERR_IO, error, "%s: %s%s",
                state->path, strerror(failure), failure == EACCES ? "; run it as root" : "");
        }
        goto out;
    }
    status = check_directory(state, error);
out:
    if (status != OK) {
        state_close(state);
        return status;
    }
    *ret = state;
    return OK;
}

void state_close(struct state *state)
{
    if (state == NULL) {
        return;
    }
    if (state->lock >= 0) {
        (void)close(state->lock);
    }
    if (state->directory >= 0) {
        (void)close(state->directory);
    }
    free(state);
}

const char *state_path(const struct state *state)
{
    return state->path;
}

enum status state_lock(struct state *state, struct state_error *error)
{
    ASSERT(state->lock < 0);
    int fd = openat(state->directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return fail_errno(state, "lock", "open", error);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        enum status status = errno == EWOULDBLOCK ? fail(ERR_BUSY, error,
                                                        "%s is in use: another daemon runs this "
                                                        "instance; see `deedmesh status`, or stop "
                                                        "it with `deedmesh down`",
                                                        state->path)
                                                  : fail_errno(state, "lock", "lock", error);
        (void)close(fd);
        return status;
    }
    state->lock = fd;
    return OK;
}

// --- reading ---

void state_content_clear(struct state_content *content)
{
    if (content->data != NULL) {
        sodium_memzero(content->data, content->size);
        free(content->data);
    }
    *content = (struct state_content){0};
}

static void checksum(struct span bytes, uint8_t ret[static CHECKSUM_SIZE])
{
    (void)crypto_generichash(ret, CHECKSUM_SIZE, bytes.data, bytes.size, NULL, 0);
}

// Takes the whole file apart; the content stays where it is, behind the header.
static enum status check_file(const struct state *state, enum state_kind kind, const char *name,
    uint16_t version, struct span file, struct state_content *ret, struct state_error *error)
{
    const char *next = kinds[kind].recovery;
    struct reader reader = reader_of(file);
    struct span mark = read_span(&reader, sizeof magic);
    uint16_t format = read_u16(&reader);
    uint16_t file_kind = read_u16(&reader);
    uint16_t file_version = read_u16(&reader);
    (void)read_u16(&reader);
    size_t size = read_u32(&reader);
    if (reader.failure != OK) {
        return fail(ERR_TRUNCATED, error, "%s/%s ends after %zu bytes: it was cut short; %s",
            state->path, name, file.size, next);
    }
    if (!span_equal(mark, span_of(magic, sizeof magic)) || file_kind != kind) {
        return fail(
            ERR_MALFORMED, error, "%s/%s is not a file of this kind; %s", state->path, name, next);
    }
    if (format != FORMAT || file_version != version) {
        return fail(ERR_VERSION, error,
            "%s/%s was written by another version (%u.%u, this program reads %u.%u); use that "
            "version of deedmesh, or %s",
            state->path, name, format, file_version, FORMAT, version, next);
    }
    if (file.size < HEADER_SIZE + size + CHECKSUM_SIZE) {
        return fail(ERR_TRUNCATED, error,
            "%s/%s has %zu bytes instead of %zu: it was cut short; %s", state->path, name,
            file.size, HEADER_SIZE + size + CHECKSUM_SIZE, next);
    }
    uint8_t sum[CHECKSUM_SIZE];
    checksum(span_of(file.data, HEADER_SIZE + size), sum);
    if (file.size > HEADER_SIZE + size + CHECKSUM_SIZE ||
        memcmp(sum, file.data + HEADER_SIZE + size, CHECKSUM_SIZE) != 0) {
        return fail(ERR_MALFORMED, error, "%s/%s is damaged: its checksum does not match; %s",
            state->path, name, next);
    }
    ret->size = size;
    ret->version = file_version;
    return OK;
}

// Who may read a secret; and that it is a file of a sane size.
static enum status check_info(const struct state *state, enum state_kind kind, const char *name,
    const struct stat *info, struct state_error *error)
{
    if (!S_ISREG(info->st_mode)) {
        return fail(ERR_MALFORMED, error, "%s/%s is not a regular file; %s", state->path, name,
            kinds[kind].recovery);
    }
    if (kinds[kind].secret && (info->st_mode & 077) != 0) {
        return fail(ERR_PERMISSION, error,
            "%s/%s is a secret that others may read (mode %03o); if nobody has, run: chmod 600 "
            "%s/%s; else make a new one",
            state->path, name, (unsigned)(info->st_mode & 0777), state->path, name);
    }
    if (info->st_size > STATE_CONTENT_MAX + HEADER_SIZE + CHECKSUM_SIZE) {
        return fail(ERR_MALFORMED, error, "%s/%s is too large; %s", state->path, name,
            kinds[kind].recovery);
    }
    return OK;
}

static enum status read_whole(int fd, uint8_t *ret, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = read(fd, ret + done, size - done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            errno = got == 0 ? EIO : errno;
            return ERR_IO;
        }
        done += (size_t)got;
    }
    return OK;
}

static enum status read_file(const struct state *state, enum state_kind kind, const char *name,
    uint16_t version, struct state_content *ret, struct state_error *error)
{
    error->text[0] = '\0';
    struct stat info;
    struct state_content content = {0};
    enum status status = OK;
    int fd = openat(state->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return fail_errno(state, name, "open", error);
    }
    if (fstat(fd, &info) != 0) {
        status = fail_errno(state, name, "examine", error);
        goto out;
    }
    status = check_info(state, kind, name, &info, error);
    if (status != OK) {
        goto out;
    }
    size_t size = (size_t)info.st_size;
    content.data = malloc(size + 1);
    content.size = size;
    if (content.data == NULL || read_whole(fd, content.data, size) != OK) {
        status = fail_errno(state, name, "read", error);
        goto out;
    }
    status = check_file(state, kind, name, version, span_of(content.data, size), &content, error);
    if (status != OK) {
        content.size = size;
        goto out;
    }
    memmove(content.data, content.data + HEADER_SIZE, content.size);
    // The copy of the tail that the move leaves behind may be part of a secret.
    sodium_memzero(content.data + content.size, size - content.size);
    *ret = content;
    content = (struct state_content){0};
out:
    state_content_clear(&content);
    (void)close(fd);
    return status;
}

enum status state_read(const struct state *state, enum state_kind kind, uint16_t version,
    struct state_content *ret, struct state_error *error)
{
    ASSERT(kind != STATE_DELEGATION);
    return read_file(state, kind, kinds[kind].name, version, ret, error);
}

// --- writing ---

static enum status write_whole(int fd, struct span bytes)
{
    while (bytes.size > 0) {
        ssize_t put = write(fd, bytes.data, bytes.size);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            errno = put == 0 ? ENOSPC : errno;
            return ERR_IO;
        }
        bytes = span_of(bytes.data + put, bytes.size - (size_t)put);
    }
    return OK;
}

// Header, content, checksum. The caller wipes and frees.
static uint8_t *frame(enum state_kind kind, uint16_t version, struct span content, size_t *size)
{
    *size = HEADER_SIZE + content.size + CHECKSUM_SIZE;
    uint8_t *file = malloc(*size);
    if (file == NULL) {
        return NULL;
    }
    struct writer writer = writer_of(file, *size);
    write_bytes(&writer, magic, sizeof magic);
    write_u16(&writer, FORMAT);
    write_u16(&writer, (uint16_t)kind);
    write_u16(&writer, version);
    write_u16(&writer, 0);
    write_u32(&writer, (uint32_t)content.size);
    write_span(&writer, content);
    uint8_t sum[CHECKSUM_SIZE];
    checksum(writer_written(&writer), sum);
    write_bytes(&writer, sum, sizeof sum);
    ASSERT(writer_finish(&writer) == OK);
    return file;
}

// Gives the finished temporary file its name. `replace` or not decides between rename and link.
static enum status put_in_place(const struct state *state, const char *temporary, const char *name,
    bool replace, struct state_error *error)
{
    if (replace) {
        if (renameat(state->directory, temporary, state->directory, name) != 0) {
            return fail_errno(state, name, "replace", error);
        }
    } else {
        if (linkat(state->directory, temporary, state->directory, name, 0) != 0) {
            return errno == EEXIST
                       ? fail(ERR_EXISTS, error, "%s/%s exists already and is not overwritten",
                             state->path, name)
                       : fail_errno(state, name, "make", error);
        }
        (void)unlinkat(state->directory, temporary, 0);
    }
    if (fsync(state->directory) != 0) {
        return fail_errno(state, name, "sync the directory of", error);
    }
    return OK;
}

static enum status write_file(const struct state *state, enum state_kind kind, const char *name,
    uint16_t version, struct span content, bool replace, struct state_error *error)
{
    error->text[0] = '\0';
    ASSERT(content.size <= STATE_CONTENT_MAX);
    char temporary[NAME_SIZE + 32];
    size_t size = 0;
    enum status status = OK;
    int fd = -1;
    (void)snprintf(temporary, sizeof temporary, ".%s.%ld.tmp", name, (long)getpid());
    uint8_t *file = frame(kind, version, content, &size);
    if (file == NULL) {
        return fail(ERR_IO, error, "%s/%s: no memory", state->path, name);
    }
    (void)unlinkat(state->directory, temporary, 0);
    fd = openat(state->directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        status = fail_errno(state, name, "write", error);
        goto out;
    }
    if (write_whole(fd, span_of(file, size)) != OK || fsync(fd) != 0) {
        status = fail_errno(state, name, "write", error);
        goto out;
    }
    status = put_in_place(state, temporary, name, replace, error);
out:
    if (fd >= 0) {
        (void)close(fd);
        if (status != OK) {
            (void)unlinkat(state->directory, temporary, 0);
        }
    }
    sodium_memzero(file, size);
    free(file);
    return status;
}

enum status state_write(const struct state *state, enum state_kind kind, uint16_t version,
    struct span content, struct state_error *error)
{
    ASSERT(kind != STATE_DELEGATION);
    return write_file(state, kind, kinds[kind].name, version, content, true, error);
}

enum status state_write_new(const struct state *state, enum state_kind kind, uint16_t version,
    struct span content, struct state_error *error)
{
    ASSERT(kind != STATE_DELEGATION);
    return write_file(state, kind, kinds[kind].name, version, content, false, error);
}

enum status state_remove(const struct state *state, enum state_kind kind, struct state_error *error)
{
    ASSERT(kind != STATE_DELEGATION);
    error->text[0] = '\0';
    if (unlinkat(state->directory, kinds[kind].name, 0) != 0) {
        return fail_errno(state, kinds[kind].name, "remove", error);
    }
    return OK;
}

// --- keys ---

// A file whose content is exactly one secret of `size` bytes.
static enum status read_secret(const struct state *state, enum state_kind kind, uint8_t *ret,
    size_t size, struct state_error *error)
{
    struct state_content content = {0};
    enum status status = state_read(state, kind, KEY_VERSION, &content, error);
    if (status != OK) {
        return status;
    }
    if (content.size == size) {
        memcpy(ret, content.data, size);
    } else {
        status = fail(ERR_MALFORMED, error, "%s/%s holds %zu bytes instead of %zu; %s", state->path,
            kinds[kind].name, content.size, size, kinds[kind].recovery);
    }
    state_content_clear(&content);
    return status;
}

enum status state_node_key_read(
    const struct state *state, struct node_secret *ret, struct state_error *error)
{
    // The seed alone is kept: the public half follows from it, so the two can never disagree.
    uint8_t seed[crypto_sign_SEEDBYTES];
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
    enum status status = read_secret(state, STATE_NODE_KEY, seed, sizeof seed, error);
    if (status == OK) {
        (void)crypto_sign_seed_keypair(public_key, ret->bytes, seed);
    }
    sodium_memzero(seed, sizeof seed);
    return status;
}

enum status state_node_key_write_new(
    const struct state *state, const struct node_secret *key, struct state_error *error)
{
    return state_write_new(
        state, STATE_NODE_KEY, KEY_VERSION, span_of(key->bytes, crypto_sign_SEEDBYTES), error);
}

enum status state_wg_key_read(
    const struct state *state, struct wg_secret *ret, struct state_error *error)
{
    return read_secret(state, STATE_WG_KEY, ret->bytes, sizeof ret->bytes, error);
}

enum status state_wg_key_write_new(
    const struct state *state, const struct wg_secret *key, struct state_error *error)
{
    return state_write_new(
        state, STATE_WG_KEY, KEY_VERSION, span_of(key->bytes, sizeof key->bytes), error);
}

struct node_key node_secret_public(const struct node_secret *secret)
{
    struct node_key key;
    (void)crypto_sign_ed25519_sk_to_pk(key.bytes, secret->bytes);
    return key;
}

struct wg_key wg_secret_public(const struct wg_secret *secret)
{
    struct wg_key key;
    (void)crypto_scalarmult_base(key.bytes, secret->bytes);
    return key;
}

// --- delegations ---

enum {
    DELEGATION_VERSION = 1,
    DELEGATION_CONTENT_MAX =
        8 + 20 + 1 + 32 + 20 + 32 + 3 * 8 + 2 + 2 + DELEGATION_SIGNATURE_MAX + STATE_SIGNATURE_MAX,
};

struct span state_delegation_signature(const struct state_delegation *delegation)
{
    const struct delegation *d = &delegation->delegation;
    bool hashed = d->kind == DELEGATION_EIP1271_HASHED;
    return span_of(delegation->signature, hashed ? d->hashed_size : 0);
}

static void delegation_name(const struct token_id *token, char ret[static NAME_SIZE])
{
    char text[TOKEN_TEXT_SIZE];
    token_id_format(token, text);
    (void)snprintf(ret, NAME_SIZE, "%s%s", kinds[STATE_DELEGATION].name, text);
}

static struct span delegation_encode(
    const struct state_delegation *delegation, uint8_t content[static DELEGATION_CONTENT_MAX])
{
    const struct delegation *d = &delegation->delegation;
    struct writer writer = writer_of(content, DELEGATION_CONTENT_MAX);
    ASSERT(d->signature_size <= DELEGATION_SIGNATURE_MAX);
    write_u64(&writer, delegation->network.chain_id);
    write_bytes(&writer, delegation->network.contract.bytes, 20);
    write_u8(&writer, (uint8_t)d->kind);
    write_bytes(&writer, d->token.bytes, 32);
    write_bytes(&writer, d->owner.bytes, 20);
    write_bytes(&writer, d->node_key.bytes, 32);
    write_u64(&writer, d->not_before_s);
    write_u64(&writer, d->not_after_s);
    write_u64(&writer, d->epoch_s);
    write_u16(&writer, d->hashed_size);
    write_u16(&writer, d->signature_size);
    write_bytes(&writer, d->signature, d->signature_size);
    write_span(&writer, state_delegation_signature(delegation));
    ASSERT(writer_finish(&writer) == OK);
    return writer_written(&writer);
}

enum status state_delegation_write(
    const struct state *state, const struct state_delegation *delegation, struct state_error *error)
{
    uint8_t content[DELEGATION_CONTENT_MAX];
    char name[NAME_SIZE];
    delegation_name(&delegation->delegation.token, name);
    return write_file(state, STATE_DELEGATION, name, DELEGATION_VERSION,
        delegation_encode(delegation, content), true, error);
}

enum status state_draft_write(
    const struct state *state, const struct state_delegation *delegation, struct state_error *error)
{
    uint8_t content[DELEGATION_CONTENT_MAX];
    return state_write(
        state, STATE_DRAFT, DELEGATION_VERSION, delegation_encode(delegation, content), error);
}

static enum status delegation_decode(struct span content, struct state_delegation *ret)
{
    struct state_delegation result = {0};
    struct delegation *d = &result.delegation;
    struct reader reader = reader_of(content);
    result.network.chain_id = read_u64(&reader);
    read_bytes(&reader, result.network.contract.bytes, 20);
    uint8_t kind = read_u8(&reader);
    read_bytes(&reader, d->token.bytes, 32);
    read_bytes(&reader, d->owner.bytes, 20);
    read_bytes(&reader, d->node_key.bytes, 32);
    d->not_before_s = read_u64(&reader);
    d->not_after_s = read_u64(&reader);
    d->epoch_s = read_u64(&reader);
    d->hashed_size = read_u16(&reader);
    d->signature_size = read_u16(&reader);
    if (kind > DELEGATION_EIP1271_HASHED || d->signature_size > DELEGATION_SIGNATURE_MAX) {
        return ERR_RANGE;
    }
    d->kind = (enum delegation_kind)kind;
    read_bytes(&reader, d->signature, d->signature_size);
    if (d->kind == DELEGATION_EIP1271_HASHED) {
        if (d->hashed_size > STATE_SIGNATURE_MAX) {
            return ERR_RANGE;
        }
        read_bytes(&reader, result.signature, d->hashed_size);
    }
    enum status status = reader_finish(&reader);
    if (status == OK && !piece_content_fits(d, state_delegation_signature(&result))) {
        return ERR_MISMATCH;
    }
    if (status == OK) {
        *ret = result;
    }
    return status;
}

static enum status delegation_read(const struct state *state, enum state_kind kind,
    const char *name, struct state_delegation *ret, struct state_error *error)
{
    struct state_content content = {0};
    enum status status = read_file(state, kind, name, DELEGATION_VERSION, &content, error);
    if (status != OK) {
        return status;
    }
    status = delegation_decode(span_of(content.data, content.size), ret);
    state_content_clear(&content);
    if (status != OK) {
        return fail(ERR_MALFORMED, error, "%s/%s holds no delegation; %s", state->path, name,
            kinds[kind].recovery);
    }
    return OK;
}

enum status state_draft_read(
    const struct state *state, struct state_delegation *ret, struct state_error *error)
{
    return delegation_read(state, STATE_DRAFT, kinds[STATE_DRAFT].name, ret, error);
}

enum status state_delegation_read(const struct state *state, const struct token_id *token,
    struct state_delegation *ret, struct state_error *error)
{
    char name[NAME_SIZE];
    struct state_delegation delegation;
    delegation_name(token, name);
    enum status status = delegation_read(state, STATE_DELEGATION, name, &delegation, error);
    if (status != OK) {
        return status;
    }
    if (!token_id_equal(&delegation.delegation.token, token)) {
        return fail(ERR_MALFORMED, error, "%s/%s is not a delegation of its token; %s", state->path,
            name, kinds[STATE_DELEGATION].recovery);
    }
    *ret = delegation;
    return OK;
}

// True and the token if this is a name that delegation_name makes.
static bool delegation_name_parse(const char *name, struct token_id *ret)
{
    const char *prefix = kinds[STATE_DELEGATION].name;
    size_t size = strlen(prefix);
    struct token_id token;
    char again[NAME_SIZE];
    if (strncmp(name, prefix, size) != 0 ||
        token_id_parse(span_of_text(name + size), &token) != OK) {
        return false;
    }
    delegation_name(&token, again);
    if (strcmp(again, name) != 0) {
        return false;
    }
    *ret = token;
    return true;
}

enum status state_delegation_tokens(const struct state *state,
    struct token_id ret[static STATE_DELEGATIONS_MAX], size_t *ret_count, struct state_error *error)
{
    error->text[0] = '\0';
    size_t count = 0;
    enum status status = OK;
    int fd = openat(state->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (directory == NULL) {
        status = fail_errno(state, "", "list", error);
        if (fd >= 0) {
            (void)close(fd);
        }
        return status;
    }
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        struct token_id token;
        if (!delegation_name_parse(entry->d_name, &token)) {
            continue;
        }
        if (count == STATE_DELEGATIONS_MAX) {
            status = fail(ERR_FULL, error, "%s holds more than %d delegations; move some away",
                state->path, STATE_DELEGATIONS_MAX);
            break;
        }
        size_t place = count++;
        for (; place > 0 && token_id_compare(&token, &ret[place - 1]) < 0; place--) {
            ret[place] = ret[place - 1];
        }
        ret[place] = token;
    }
    (void)closedir(directory);
    if (status == OK) {
        *ret_count = count;
    }
    return status;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Asking a member's DHT port for the network's manifest, before membership: a STUN-framed request
// that is as long as its answer. Every address of the host is asked; for a moment after the first
// answer others are awaited, so that two who claim to speak for the host are noticed.
#include "base/clock_posix.h"
#include "node/cli/network.h"

#include "nat/stun.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    TARGETS_MAX = 8,
    FIRST_RETRY_MS = 250, // then doubled
    LAST_RETRY_MS = 2000,
    LISTEN_ON_MS = 300,
};

struct target {
    int fd;
    char name[128];
    struct stun_transaction transaction;
    bool refused; // the host says that nothing listens there
};

struct answer {
    struct manifest manifest;
    uint8_t bytes[MANIFEST_MAX_SIZE];
    size_t size;
};

struct fetch {
    struct target targets[TARGETS_MAX];
    size_t targets_count;
    const struct dht_key *fingerprint;
    struct answer first;
    bool found;
    bool conflict; // another authority answered too
    struct node_key second_authority;
    bool other; // an answer of another authority than the fingerprint's
    struct node_key other_authority;
    enum status failure; // of the last answer that could not be used
};

static void add_target(struct fetch *fetch, const struct addrinfo *info, struct rng *rng)
{
    char host[64];
    char port[8];
    struct target *target = &fetch->targets[fetch->targets_count];
    int fd = socket(info->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return;
    }
    // Connected: only datagrams of this address arrive, and refusals are reported.
    if (connect(fd, info->ai_addr, info->ai_addrlen) != 0 ||
        getnameinfo(info->ai_addr, info->ai_addrlen, host, sizeof host, port, sizeof port,
            NI_NUMERICHOST | NI_NUMERICSERV | NI_DGRAM) != 0) {
        (void)close(fd);
        return;
    }
    *target = (struct target){.fd = fd, .transaction = stun_transaction_draw(rng)};
    (void)snprintf(target->name, sizeof target->name, "%s port %s", host, port);
    fetch->targets_count++;
}

static int add_targets(struct cli *cli, struct fetch *fetch, const struct endpoint_name *endpoint)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    struct rng rng;
    uint8_t seed[RNG_SEED_SIZE];
    char port[8];
    (void)snprintf(port, sizeof port, "%u", (unsigned)endpoint->port);
    int result = getaddrinfo(endpoint->host, port, &hints, &list);
    if (result != 0) {
        return complain(cli, FAILED, "unreachable", "%s: %s; check the name, or give an address",
            endpoint->host, gai_strerror(result));
    }
    randombytes_buf(seed, sizeof seed);
    rng_seed(&rng, seed);
    for (const struct addrinfo *at = list; at != NULL && fetch->targets_count < TARGETS_MAX;
         at = at->ai_next) {
        add_target(fetch, at, &rng);
    }
    freeaddrinfo(list);
    if (fetch->targets_count == 0) {
        return complain(cli, FAILED, "unreachable",
            "%s: this machine has no route to any address of it", endpoint->host);
    }
    return DONE;
}

static void ask_all(struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->targets_count; i++) {
        struct target *target = &fetch->targets[i];
        uint8_t bytes[STUN_MESSAGE_MAX];
        struct writer writer = writer_of(bytes, sizeof bytes);
        if (stun_encode_manifest_request(&writer, &target->transaction) == OK) {
            // A refusal or a full queue: the next round tries again.
            (void)send(target->fd, writer.data, writer.size, MSG_NOSIGNAL);
        }
    }
}

static bool matches(const struct dht_key *fingerprint, const struct node_key *authority)
{
    struct dht_key key = key_of_manifest(authority);
    return fingerprint == NULL || dht_key_equal(&key, fingerprint);
}

static enum status take_answer(struct fetch *fetch, const struct target *target, struct span bytes)
{
    struct stun_message message;
    struct answer answer = {0};
    enum status status = stun_decode(bytes, &message);
    if (status != OK) {
        return status;
    }
    if (message.kind != STUN_SUCCESS || message.method != STUN_MANIFEST ||
        !stun_transaction_equal(&message.transaction, &target->transaction)) {
        return message.kind == STUN_ERROR ? ERR_NOT_FOUND : ERR_MISMATCH;
    }
    status = manifest_decode(message.manifest, &answer.manifest);
    if (status != OK) {
        return status;
    }
    const struct node_key *authority = &answer.manifest.authority;
    if (!matches(fetch->fingerprint, authority)) {
        fetch->other = true;
        fetch->other_authority = *authority;
        return ERR_MISMATCH;
    }
    if (fetch->found && !node_key_equal(authority, &fetch->first.manifest.authority)) {
        fetch->conflict = true;
        fetch->second_authority = *authority;
        return OK;
    }
    // Members may be at different versions: the newest counts.
    if (!fetch->found || answer.manifest.version > fetch->first.manifest.version) {
        memcpy(answer.bytes, message.manifest.data, message.manifest.size);
        answer.size = message.manifest.size;
        fetch->first = answer;
        fetch->found = true;
    }
    return OK;
}

static void receive_all(struct fetch *fetch, const struct pollfd *ready)
{
    for (size_t i = 0; i < fetch->targets_count; i++) {
        struct target *target = &fetch->targets[i];
        uint8_t bytes[STUN_MESSAGE_MAX + 1];
        if (ready[i].revents == 0) {
            continue;
        }
        ssize_t got = recv(target->fd, bytes, sizeof bytes, 0);
        if (got < 0) {
            target->refused = target->refused || errno == ECONNREFUSED;
            continue;
        }
        enum status status = take_answer(fetch, target, span_of(bytes, (size_t)got));
        if (status != OK) {
            fetch->failure = status;
        }
    }
}

static void exchange(struct fetch *fetch, uint64_t timeout_ms)
{
    uint64_t end = clock_mono().ms + timeout_ms;
    uint64_t send_at = clock_mono().ms;
    uint64_t gap_ms = FIRST_RETRY_MS;
    bool found = false;
    for (uint64_t now = clock_mono().ms; now < end; now = clock_mono().ms) {
        if (fetch->found && !found) {
            found = true;
            end = now + LISTEN_ON_MS < end ? now + LISTEN_ON_MS : end;
        }
        if (!found && now >= send_at) {
            ask_all(fetch);
            send_at = now + gap_ms;
            gap_ms = gap_ms * 2 < LAST_RETRY_MS ? gap_ms * 2 : LAST_RETRY_MS;
        }
        struct pollfd wanted[TARGETS_MAX];
        for (size_t i = 0; i < fetch->targets_count; i++) {
            wanted[i] = (struct pollfd){.fd = fetch->targets[i].fd, .events = POLLIN};
        }
        uint64_t until = !found && send_at < end ? send_at : end;
        int left = until > now ? (int)(until - now) : 0;
        if (poll(wanted, fetch->targets_count, left) > 0) {
            receive_all(fetch, wanted);
        }
    }
}

static void authority_text(const struct node_key *authority, char ret[static FINGERPRINT_TEXT_SIZE])
{
    struct dht_key key = key_of_manifest(authority);
    fingerprint_format(&key, ret);
}

// Why there is no manifest that can be used.
static int complain_fetch(
    struct cli *cli, const struct fetch *fetch, const char *place, uint64_t timeout_ms)
{
    char one[FINGERPRINT_TEXT_SIZE];
    char two[FINGERPRINT_TEXT_SIZE];
    size_t refused = 0;
    for (size_t i = 0; i < fetch->targets_count; i++) {
        refused += fetch->targets[i].refused;
    }
    if (fetch->conflict) {
        authority_text(&fetch->first.manifest.authority, one);
        authority_text(&fetch->second_authority, two);
        return complain(cli, FAILED, "two_authorities",
            "%s: two authorities answered, %s and %s; refused. Ask whoever runs the network which "
            "one is right and join with HOST:PORT/FINGERPRINT",
            place, one, two);
    }
    if (fetch->other) {
        authority_text(&fetch->other_authority, one);
        return complain(cli, FAILED, "other_authority",
            "%s: the manifest there is signed by another authority (%s) than the fingerprint that "
            "you gave names; refused",
            place, one);
    }
    if (fetch->failure != OK) {
        return complain(cli, FAILED, "malformed",
            "%s: the answer cannot be used: %s; is it a Deedmesh member's DHT port?", place,
            status_text(fetch->failure));
    }
    if (refused == fetch->targets_count) {
        return complain(cli, FAILED, "unreachable",
            "%s: nothing listens there; is the node up, and is this its DHT port (51821)?", place);
    }
    return complain(cli, FAILED, "unreachable",
        "%s: no answer in %llu s; is this the DHT port (51821) of a member with a public address, "
        "and does a firewall let UDP through?",
        place, (unsigned long long)(timeout_ms / 1000));
}

int manifest_fetch(struct cli *cli, const struct endpoint_name *endpoint,
    const struct dht_key *fingerprint, uint64_t timeout_ms, uint8_t ret[static MANIFEST_MAX_SIZE],
    size_t *ret_size)
{
    struct fetch fetch = {.fingerprint = fingerprint};
    char place[ENDPOINT_NAME_TEXT_SIZE];
    endpoint_name_format(endpoint, place);
    int result = add_targets(cli, &fetch, endpoint);
    if (result != DONE) {
        return result;
    }
    exchange(&fetch, timeout_ms);
    for (size_t i = 0; i < fetch.targets_count; i++) {
        (void)close(fetch.targets[i].fd);
    }
    if (!fetch.found || fetch.conflict) {
        return complain_fetch(cli, &fetch, place, timeout_ms);
    }
    memcpy(ret, fetch.first.bytes, fetch.first.size);
    *ret_size = fetch.first.size;
    return DONE;
}

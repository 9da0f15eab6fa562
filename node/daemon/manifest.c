// SPDX-License-Identifier: GPL-3.0-or-later
//
// The network's manifest: as pinned in the state directory, or asked of the bootstrap hosts on
// their DHT port, checked, and pinned on first use. A pinned one is compared later with what the
// bootstrap hosts serve: the same authority may have raised its version; anything else is a
// warning, and the pinned one stays.
#include "node/daemon/daemon.h"
#include "node/daemon/log.h"
#include "node/daemon/manifest_choice.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
    FETCH_INTERVAL_MS = 500,
    FETCH_INTERVAL_MAX_MS = 5000,
    FETCH_COMPLAIN_TRIES = 4,
    FETCH_OTHERS_MS = 1000, // after the first answer: so long the other hosts have
    COMPARE_INTERVAL_MS = 1000,
    COMPARE_INTERVAL_MAX_MS = 60000,
    COMPARE_TRIES = 20,
    WHO_TEXT_SIZE = ADDRESS_TEXT_SIZE + FINGERPRINT_TEXT_SIZE + 8,
    MANIFEST_CONTENT_VERSION = 1,
};

// The fingerprint that the user gave with one of the bootstrap addresses, if any.
static bool wanted_fingerprint(const struct daemon *daemon, struct dht_key *ret)
{
    for (size_t i = 0; i < daemon->config.bootstraps_count; i++) {
        if (daemon->config.bootstraps[i].has_fingerprint) {
            *ret = daemon->config.bootstraps[i].fingerprint;
            return true;
        }
    }
    return false;
}

// Why this manifest is not that of this node's network; NULL if it is.
static const char *find_mismatch(const struct daemon *daemon, const struct manifest *manifest)
{
    struct dht_key wanted;
    struct dht_key found = key_of_manifest(&manifest->authority);
    if (wanted_fingerprint(daemon, &wanted) && !dht_key_equal(&wanted, &found)) {
        return "its fingerprint is not the one that was given with the bootstrap address";
    }
    if (manifest->network.chain_id != daemon->network.chain_id ||
        !eth_address_equal(&manifest->network.contract, &daemon->network.contract)) {
        return "the delegation of this node is for another chain or contract";
    }
    return NULL;
}

enum status manifest_load_pinned(struct daemon *daemon)
{
    struct state_content content = {0};
    struct state_error error;
    enum status status =
        state_read(daemon->state, STATE_MANIFEST, MANIFEST_CONTENT_VERSION, &content, &error);
    if (status != OK) {
        (void)snprintf(daemon->error, sizeof daemon->error, "%s", error.text);
        return status;
    }
    status = manifest_decode(span_of(content.data, content.size), &daemon->manifest);
    const char *mismatch = status == OK ? find_mismatch(daemon, &daemon->manifest) : NULL;
    if (mismatch != NULL) {
        status = ERR_MISMATCH;
        (void)snprintf(daemon->error, sizeof daemon->error,
            "the manifest pinned in %s is refused: %s; ask who runs the network, then check "
            "[network] bootstrap, or run `deedmesh authorize` for this network",
            state_path(daemon->state), mismatch);
    } else if (status == OK) {
        memcpy(daemon->manifest_bytes, content.data, content.size);
        daemon->manifest_size = (uint16_t)content.size;
        daemon->was_pinned = true;
    } else {
        (void)snprintf(daemon->error, sizeof daemon->error,
            "the pinned manifest in %s is unusable: %s; run `deedmesh join` again",
            state_path(daemon->state), status_text(status));
    }
    state_content_clear(&content);
    return status;
}

static const char *find_fault(const struct daemon *daemon, const struct manifest *manifest)
{
    const char *mismatch = find_mismatch(daemon, manifest);
    enum manifest_problem problem = manifest_check(manifest, daemon->config.allow_http);
    return mismatch == NULL && problem != MANIFEST_FINE ? manifest_problem_text(problem) : mismatch;
}

static void format_fingerprint(
    const struct manifest *manifest, char ret[static FINGERPRINT_TEXT_SIZE])
{
    struct dht_key key = key_of_manifest(&manifest->authority);
    fingerprint_format(&key, ret);
}

// --- asking ---

static void begin(struct daemon *daemon, enum manifest_fetch fetch)
{
    for (size_t i = 0; i < NODE_BOOTSTRAP_MAX; i++) {
        daemon->answers[i] = (struct manifest_answer){.kind = ANSWER_AWAITED};
    }
    daemon->fetch = fetch;
    daemon->fetch_at = daemon->now.mono;
    daemon->fetch_decide_at = mono_never();
    daemon->fetch_tries = 0;
    manifest_on_deadline(daemon);
}

void manifest_fetch_start(struct daemon *daemon)
{
    begin(daemon, FETCH_FIRST);
}

void manifest_compare_start(struct daemon *daemon)
{
    if (daemon->bootstrap_count > 0) {
        begin(daemon, FETCH_COMPARE);
    }
}

static void ask(struct daemon *daemon, size_t index)
{
    uint8_t bytes[STUN_MESSAGE_MAX];
    struct writer writer = writer_of(bytes, sizeof bytes);
    struct stun_transaction *transaction = &daemon->answers[index].transaction;
    randombytes_buf(transaction->bytes, STUN_TRANSACTION_SIZE);
    if (stun_encode_manifest_request(&writer, transaction) == OK) {
        sockets_send_dht(daemon, &daemon->bootstraps[index], writer_written(&writer));
    }
}

static size_t count_answers(const struct daemon *daemon, enum manifest_answer_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < daemon->bootstrap_count; i++) {
        count += daemon->answers[i].kind == kind;
    }
    return count;
}

static void complain_of_silence(const struct daemon *daemon)
{
    char host[ADDRESS_TEXT_SIZE];
    address_format(&daemon->bootstraps[0], host);
    log_event(LOG_LEVEL_WARNING, "bootstrap_silent", NULL,
        "no answer from the bootstrap host %s%s; trying again", host,
        daemon->bootstrap_count > 1 ? " and the others" : "");
}

static void ask_all(struct daemon *daemon)
{
    bool first = daemon->fetch == FETCH_FIRST;
    for (size_t i = 0; i < daemon->bootstrap_count; i++) {
        if (daemon->answers[i].kind == ANSWER_AWAITED) {
            ask(daemon, i);
        }
    }
    daemon->fetch_tries++;
    if (first && daemon->fetch_tries % FETCH_COMPLAIN_TRIES == 0) {
        complain_of_silence(daemon);
    }
    if (!first && daemon->fetch_tries == COMPARE_TRIES) {
        daemon->fetch = FETCH_NONE; // until the next start
        return;
    }
    uint64_t pause_ms =
        (uint64_t)(first ? FETCH_INTERVAL_MS : COMPARE_INTERVAL_MS) * daemon->fetch_tries;
    uint64_t pause_max_ms = first ? FETCH_INTERVAL_MAX_MS : COMPARE_INTERVAL_MAX_MS;
    daemon->fetch_at =
        mono_add(daemon->now.mono, pause_ms < pause_max_ms ? pause_ms : pause_max_ms);
}

struct mono manifest_deadline(const struct daemon *daemon)
{
    return daemon->fetch == FETCH_NONE ? mono_never()
                                       : mono_min(daemon->fetch_at, daemon->fetch_decide_at);
}

// --- the first one ---

static void pin(struct daemon *daemon, const struct manifest *manifest, struct span bytes)
{
    if (saver_put(daemon->saver, STATE_MANIFEST, MANIFEST_CONTENT_VERSION, bytes) != OK) {
        log_event(
            LOG_LEVEL_ERROR, "manifest_not_saved", NULL, "the manifest is not saved: no memory");
    }
    memcpy(daemon->manifest_bytes, bytes.data, bytes.size);
    daemon->manifest_size = (uint16_t)bytes.size;
    daemon->manifest = *manifest;
}

static void refuse(struct daemon *daemon, size_t index, const char *fault)
{
    char host[ADDRESS_TEXT_SIZE];
    address_format(&daemon->bootstraps[index], host);
    (void)snprintf(daemon->error, sizeof daemon->error,
        "the manifest from %s is refused: %s; ask who runs the network, then `deedmesh join` "
        "with the right address and fingerprint",
        host, fault);
    daemon_fail(daemon);
}

static void refuse_all(struct daemon *daemon, const char *what)
{
    char list[NODE_BOOTSTRAP_MAX * WHO_TEXT_SIZE] = "";
    size_t size = 0;
    for (size_t i = 0; i < daemon->bootstrap_count; i++) {
        char host[ADDRESS_TEXT_SIZE];
        char fingerprint[FINGERPRINT_TEXT_SIZE];
        if (daemon->answers[i].kind != ANSWER_GOOD) {
            continue;
        }
        address_format(&daemon->bootstraps[i], host);
        format_fingerprint(&daemon->answers[i].manifest, fingerprint);
        int added = snprintf(
            list + size, sizeof list - size, "%s%s/%s", size == 0 ? "" : ", ", host, fingerprint);
        size += added > 0 ? (size_t)added : 0;
    }
    (void)snprintf(daemon->error, sizeof daemon->error,
        "the bootstrap hosts %s: %.600s; ask who runs the network, then keep the right one, with "
        "its "
        "fingerprint, in [network] bootstrap",
        what, list);
    daemon_fail(daemon);
}

static void take_first(struct daemon *daemon, size_t index)
{
    const struct manifest_answer *answer = &daemon->answers[index];
    const struct manifest *manifest = &answer->manifest;
    const char *fault = find_fault(daemon, manifest);
    if (fault != NULL) {
        refuse(daemon, index, fault);
        return;
    }
    char host[ADDRESS_TEXT_SIZE];
    char fingerprint[FINGERPRINT_TEXT_SIZE];
    char contract[ETH_ADDRESS_TEXT_SIZE];
    char prefix[ADDRESS_TEXT_SIZE];
    daemon->fetch = FETCH_NONE;
    pin(daemon, manifest, span_of(answer->bytes, answer->size));
    address_format(&daemon->bootstraps[index], host);
    format_fingerprint(manifest, fingerprint);
    eth_address_format(&manifest->network.contract, contract);
    prefix_format(&manifest->ipv4, prefix);
    log_event(LOG_LEVEL_INFO, "manifest_pinned",
        json_pack("{s:s,s:I,s:I,s:s,s:s,s:s}", "from", host, "uptime_ms",
            (json_int_t)mono_since(daemon->started_at, daemon->now.mono), "chain_id",
            (json_int_t)manifest->network.chain_id, "contract", contract, "prefix", prefix,
            "fingerprint", fingerprint),
        "network of chain %llu, contract %s, prefix %s, fingerprint %s; pinned from %s",
        (unsigned long long)manifest->network.chain_id, contract, prefix, fingerprint, host);
    daemon_begin(daemon);
}

// All have answered, or had their time.
static void decide(struct daemon *daemon)
{
    const struct manifest *list[NODE_BOOTSTRAP_MAX];
    size_t where[NODE_BOOTSTRAP_MAX];
    size_t count = 0;
    size_t bad = 0;
    for (size_t i = 0; i < daemon->bootstrap_count; i++) {
        if (daemon->answers[i].kind == ANSWER_GOOD) {
            list[count] = &daemon->answers[i].manifest;
            where[count++] = i;
        } else if (daemon->answers[i].kind == ANSWER_BAD) {
            bad = i;
        }
    }
    if (count == 0) {
        refuse(daemon, bad, status_text(daemon->answers[bad].fault));
        return;
    }
    size_t best = 0;
    switch (manifest_choose(list, count, &best)) {
    case CHOICE_FOUND:
        take_first(daemon, where[best]);
        return;
    case CHOICE_AUTHORITIES:
        refuse_all(daemon, "name different authorities");
        return;
    case CHOICE_CONTRADICTION:
        refuse_all(daemon, "serve manifests of one authority that contradict each other");
        return;
    }
}

static void on_first(struct daemon *daemon, size_t index)
{
    struct dht_key wanted;
    const struct manifest_answer *answer = &daemon->answers[index];
    struct dht_key found = key_of_manifest(&answer->manifest.authority);
    bool known = wanted_fingerprint(daemon, &wanted);
    if (answer->kind == ANSWER_GOOD && known && dht_key_equal(&wanted, &found)) {
        take_first(daemon, index); // nobody else can say anything about it
        return;
    }
    if (answer->kind == ANSWER_GOOD && known && daemon->bootstrap_count > 1) {
        char host[ADDRESS_TEXT_SIZE];
        address_format(&daemon->bootstraps[index], host);
        log_event(LOG_LEVEL_WARNING, "manifest_refused", NULL,
            "the manifest from %s has another fingerprint than the one that was given", host);
    }
    if (count_answers(daemon, ANSWER_AWAITED) == 0) {
        decide(daemon);
    } else if (daemon->fetch_decide_at.ms == mono_never().ms) {
        daemon->fetch_decide_at = mono_add(daemon->now.mono, FETCH_OTHERS_MS);
    }
}

void manifest_on_deadline(struct daemon *daemon)
{
    if (daemon->fetch != FETCH_NONE && mono_due(daemon->fetch_at, daemon->now.mono)) {
        ask_all(daemon);
    }
    if (daemon->fetch == FETCH_FIRST && mono_due(daemon->fetch_decide_at, daemon->now.mono)) {
        decide(daemon);
    }
}

// --- comparing with the pinned one ---

static void take_newer(struct daemon *daemon, const char *host, size_t index)
{
    const struct manifest_answer *answer = &daemon->answers[index];
    uint32_t version = answer->manifest.version;
    pin(daemon, &answer->manifest, span_of(answer->bytes, answer->size));
    node_set_manifest(daemon->node, span_of(daemon->manifest_bytes, daemon->manifest_size));
    (void)snprintf(daemon->manifest_warning, sizeof daemon->manifest_warning,
        "version %u of the manifest was taken from %s: restart this node to use its poll, grace "
        "and RPC suggestions",
        (unsigned)version, host);
    log_event(LOG_LEVEL_INFO, "manifest_updated",
        json_pack("{s:s,s:I}", "from", host, "version", (json_int_t)version),
        "version %u of the network's manifest, by the same authority, taken from %s and pinned; "
        "its poll, grace and RPC suggestions hold from the next start on",
        (unsigned)version, host);
}

static void keep_pinned(
    struct daemon *daemon, const char *host, const char *theirs, const char *fault)
{
    char own[FINGERPRINT_TEXT_SIZE];
    format_fingerprint(&daemon->manifest, own);
    (void)snprintf(daemon->manifest_warning, sizeof daemon->manifest_warning,
        "the bootstrap host %s serves a manifest (fingerprint %s) that is not taken: %s; this node "
        "keeps the pinned one (fingerprint %s). Ask who runs the network",
        host, theirs, fault, own);
    log_event(LOG_LEVEL_WARNING, "manifest_refused",
        json_pack("{s:s,s:s,s:s}", "from", host, "fingerprint", theirs, "pinned", own), "%s",
        daemon->manifest_warning);
}

static void on_compare(struct daemon *daemon, size_t index)
{
    const struct manifest_answer *answer = &daemon->answers[index];
    char host[ADDRESS_TEXT_SIZE];
    char fingerprint[FINGERPRINT_TEXT_SIZE] = "unknown";
    address_format(&daemon->bootstraps[index], host);
    if (count_answers(daemon, ANSWER_AWAITED) == 0) {
        daemon->fetch = FETCH_NONE;
    }
    if (answer->kind == ANSWER_BAD) {
        keep_pinned(daemon, host, fingerprint, status_text(answer->fault));
        return;
    }
    format_fingerprint(&answer->manifest, fingerprint);
    enum manifest_update update = manifest_check_update(&daemon->manifest, &answer->manifest);
    const char *fault = manifest_update_text(update);
    if (update == MANIFEST_NEWER) {
        fault = find_fault(daemon, &answer->manifest);
    }
    if (update == MANIFEST_NEWER && fault == NULL) {
        take_newer(daemon, host, index);
    } else if (update != MANIFEST_SAME && update != MANIFEST_OLDER) {
        keep_pinned(daemon, host, fingerprint, fault);
    }
}

// --- answers ---

// The host that was asked this, from whose address it comes; bootstrap_count if none.
static size_t find_asked(
    const struct daemon *daemon, const struct address *from, const struct stun_message *message)
{
    size_t i = 0;
    while (i < daemon->bootstrap_count &&
           !(daemon->answers[i].kind == ANSWER_AWAITED &&
               address_equal(from, &daemon->bootstraps[i]) &&
               stun_transaction_equal(&message->transaction, &daemon->answers[i].transaction))) {
        i++;
    }
    return i;
}

bool manifest_on_datagram(struct daemon *daemon, const struct address *from, struct span bytes)
{
    struct stun_message message;
    if (daemon->fetch == FETCH_NONE || stun_decode(bytes, &message) != OK ||
        message.method != STUN_MANIFEST || message.kind != STUN_SUCCESS) {
        return false;
    }
    size_t index = find_asked(daemon, from, &message);
    if (index == daemon->bootstrap_count) {
        return false;
    }
    struct manifest_answer *answer = &daemon->answers[index];
    answer->fault = manifest_decode(message.manifest, &answer->manifest);
    answer->kind = answer->fault == OK ? ANSWER_GOOD : ANSWER_BAD;
    if (answer->kind == ANSWER_GOOD) {
        memcpy(answer->bytes, message.manifest.data, message.manifest.size);
        answer->size = (uint16_t)message.manifest.size;
    }
    if (daemon->fetch == FETCH_FIRST) {
        on_first(daemon, index);
    } else {
        on_compare(daemon, index);
    }
    return true;
}

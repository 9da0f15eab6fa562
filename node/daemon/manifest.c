// SPDX-License-Identifier: GPL-3.0-or-later
//
// The network's manifest: as pinned in the state directory, or asked of the bootstrap hosts on
// their DHT port, checked, and pinned on first use.
#include "node/daemon/daemon.h"
#include "node/daemon/log.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
    FETCH_INTERVAL_MS = 500,
    FETCH_INTERVAL_MAX_MS = 5000,
    FETCH_COMPLAIN_TRIES = 4,
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
    } else {
        (void)snprintf(daemon->error, sizeof daemon->error,
            "the pinned manifest in %s is unusable: %s; run `deedmesh join` again",
            state_path(daemon->state), status_text(status));
    }
    state_content_clear(&content);
    return status;
}

void manifest_fetch_start(struct daemon *daemon)
{
    daemon->fetching = true;
    daemon->fetch_at = daemon->now.mono;
    daemon->fetch_tries = 0;
    manifest_fetch_on_deadline(daemon);
}

void manifest_fetch_on_deadline(struct daemon *daemon)
{
    if (!daemon->fetching || !mono_due(daemon->fetch_at, daemon->now.mono)) {
        return;
    }
    for (size_t i = 0; i < daemon->bootstrap_count; i++) {
        uint8_t bytes[STUN_MESSAGE_MAX];
        struct writer writer = writer_of(bytes, sizeof bytes);
        randombytes_buf(daemon->fetch_transactions[i].bytes, STUN_TRANSACTION_SIZE);
        if (stun_encode_manifest_request(&writer, &daemon->fetch_transactions[i]) == OK) {
            sockets_send_dht(daemon, &daemon->bootstraps[i], writer_written(&writer));
        }
    }
    daemon->fetch_tries++;
    if (daemon->fetch_tries % FETCH_COMPLAIN_TRIES == 0) {
        char host[ADDRESS_TEXT_SIZE];
        address_format(&daemon->bootstraps[0], host);
        log_event(LOG_LEVEL_WARNING, "bootstrap_silent", NULL,
            "no answer from the bootstrap host %s%s; trying again", host,
            daemon->bootstrap_count > 1 ? " and the others" : "");
    }
    uint64_t pause_ms = (uint64_t)FETCH_INTERVAL_MS * daemon->fetch_tries;
    daemon->fetch_at = mono_add(
        daemon->now.mono, pause_ms < FETCH_INTERVAL_MAX_MS ? pause_ms : FETCH_INTERVAL_MAX_MS);
}

static const char *find_fault(const struct daemon *daemon, const struct manifest *manifest)
{
    const char *mismatch = find_mismatch(daemon, manifest);
    enum manifest_problem problem = manifest_check(manifest, daemon->config.allow_http);
    return mismatch == NULL && problem != MANIFEST_FINE ? manifest_problem_text(problem) : mismatch;
}

static void pin(struct daemon *daemon, struct span bytes)
{
    if (saver_put(daemon->saver, STATE_MANIFEST, MANIFEST_CONTENT_VERSION, bytes) != OK) {
        log_event(
            LOG_LEVEL_ERROR, "manifest_not_saved", NULL, "the manifest is not saved: no memory");
    }
    memcpy(daemon->manifest_bytes, bytes.data, bytes.size);
    daemon->manifest_size = (uint16_t)bytes.size;
}

static bool is_asked(
    const struct daemon *daemon, const struct address *from, const struct stun_message *message)
{
    for (size_t i = 0; i < daemon->bootstrap_count; i++) {
        if (address_equal(from, &daemon->bootstraps[i]) &&
            stun_transaction_equal(&message->transaction, &daemon->fetch_transactions[i])) {
            return true;
        }
    }
    return false;
}

void manifest_fetch_on_datagram(
    struct daemon *daemon, const struct address *from, struct span bytes)
{
    struct stun_message message;
    struct manifest manifest;
    if (stun_decode(bytes, &message) != OK || message.method != STUN_MANIFEST ||
        message.kind != STUN_SUCCESS || !is_asked(daemon, from, &message)) {
        return;
    }
    char host[ADDRESS_TEXT_SIZE];
    address_format(from, host);
    enum status status = manifest_decode(message.manifest, &manifest);
    const char *fault = status == OK ? find_fault(daemon, &manifest) : status_text(status);
    if (fault != NULL) {
        (void)snprintf(daemon->error, sizeof daemon->error,
            "the manifest from %s is refused: %s; ask who runs the network, then `deedmesh join` "
            "with the right address and fingerprint",
            host, fault);
        daemon_fail(daemon);
        return;
    }
    daemon->fetching = false;
    daemon->manifest = manifest;
    pin(daemon, message.manifest);
    char fingerprint[FINGERPRINT_TEXT_SIZE];
    char contract[ETH_ADDRESS_TEXT_SIZE];
    char prefix[ADDRESS_TEXT_SIZE];
    struct dht_key key = key_of_manifest(&manifest.authority);
    fingerprint_format(&key, fingerprint);
    eth_address_format(&manifest.network.contract, contract);
    prefix_format(&manifest.ipv4, prefix);
    log_event(LOG_LEVEL_INFO, "manifest_pinned",
        json_pack("{s:s,s:I,s:I,s:s,s:s,s:s}", "from", host, "uptime_ms",
            (json_int_t)mono_since(daemon->started_at, daemon->now.mono), "chain_id",
            (json_int_t)manifest.network.chain_id, "contract", contract, "prefix", prefix,
            "fingerprint", fingerprint),
        "network of chain %llu, contract %s, prefix %s, fingerprint %s; pinned from %s",
        (unsigned long long)manifest.network.chain_id, contract, prefix, fingerprint, host);
    daemon_begin(daemon);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Keys and delegations that change while the daemon runs. The files are the truth: the command has
// written them whole (node/instance/next_keys.h) before it asks the daemon to look.
#include "node/daemon/daemon.h"

#include "base/text.h"
#include "node/daemon/log.h"
#include "node/instance/next_keys.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static enum status fail_with(struct daemon *daemon, enum status status, const char *text)
{
    (void)snprintf(daemon->error, sizeof daemon->error, "%s", text);
    return status;
}

static enum status refuse(struct daemon *daemon, enum status status)
{
    (void)snprintf(daemon->error, sizeof daemon->error,
        "the delegation is not for this node key and token: %s", status_text(status));
    return status;
}

// Where the node may keep it: not over the one it holds.
static struct span next_signature(struct daemon *daemon, const struct state_delegation *stored)
{
    struct span signature = state_delegation_signature(stored);
    uint8_t *place = daemon->signatures[1 - daemon->signature_turn];
    memcpy(place, signature.data, signature.size);
    return span_of(place, signature.size);
}

static enum status take_node_key(
    struct daemon *daemon, const struct delegation *delegation, struct span signature)
{
    struct state_error error;
    struct node_secret secret;
    enum status status = next_node_key_settle(daemon->state, &delegation->node_key, &error);
    if (status == OK) {
        status = state_node_key_read(daemon->state, &secret, &error);
    }
    if (status != OK) {
        return fail_with(daemon, status, error.text);
    }
    status = node_set_node_key(daemon->node, daemon->now, &secret, delegation, signature);
    if (status == OK) {
        daemon->node_key = node_secret_public(&secret);
    }
    sodium_memzero(&secret, sizeof secret);
    return status == OK ? OK : refuse(daemon, status);
}

static enum status take_wg_key(struct daemon *daemon)
{
    struct state_error error;
    struct wg_secret secret;
    enum status status = next_wg_key_read(daemon->state, &secret, &error);
    if (status == ERR_NOT_FOUND) {
        node_keep_wg(daemon->node);
        return OK;
    }
    if (status != OK) {
        return fail_with(daemon, status, error.text);
    }
    struct wg_key key = wg_secret_public(&secret);
    if (wg_key_equal(&key, &daemon->wg_key)) {
        // Killed after the device had it and before the file said so.
        status = next_wg_key_adopt(daemon->state, &error);
    } else {
        status = node_rotate_wg(daemon->node, daemon->now, &secret);
        (void)snprintf(error.text, sizeof error.text, "the next WireGuard key is not taken: %s",
            status_text(status));
    }
    sodium_memzero(&secret, sizeof secret);
    return status == OK ? OK : fail_with(daemon, status, error.text);
}

enum status keys_reload(struct daemon *daemon)
{
    struct state_error error;
    struct state_delegation stored;
    enum status status = state_delegation_read(daemon->state, &daemon->token, &stored, &error);
    if (status != OK) {
        return fail_with(daemon, status, error.text);
    }
    struct span signature = next_signature(daemon, &stored);
    if (node_key_equal(&stored.delegation.node_key, &daemon->node_key)) {
        status = node_set_delegation(daemon->node, daemon->now, &stored.delegation, signature);
        status = status == OK ? OK : refuse(daemon, status);
    } else {
        status = take_node_key(daemon, &stored.delegation, signature);
    }
    if (status != OK) {
        return status;
    }
    daemon->delegation = stored.delegation;
    daemon->signature_turn = 1 - daemon->signature_turn;
    // What displaced this node had closed them.
    for (size_t i = 0; i < daemon->config.connects_count; i++) {
        (void)!node_want_peer(daemon->node, daemon->now, &daemon->config.connects[i]);
    }
    return take_wg_key(daemon);
}

void keys_resume(struct daemon *daemon)
{
    if (take_wg_key(daemon) != OK) {
        log_event(LOG_LEVEL_ERROR, "wg_key_not_taken", NULL, "%s", daemon->error);
    }
}

// The device first: members have been told, and wait. A crash before the file is written leaves the
// next key beside the old one, and the next start goes through the same again.
void keys_set_device(struct daemon *daemon, struct span secret)
{
    struct wg_config config = {.set_key = true};
    struct wg_detail detail;
    struct state_error error;
    memcpy(config.key.bytes, secret.data, sizeof config.key.bytes);
    daemon->wg_key = wg_secret_public(&config.key);
    enum status status = wg_device_configure(daemon->device, &config, &detail);
    sodium_memzero(&config, sizeof config);
    if (status != OK) {
        log_event(LOG_LEVEL_ERROR, "device_not_set", NULL,
            "the device does not take the new WireGuard key: %s; restart the instance",
            detail.text);
    }
    if (next_wg_key_adopt(daemon->state, &error) != OK) {
        log_event(LOG_LEVEL_ERROR, "state_not_saved", NULL, "%s", error.text);
    }
}

// --- tombstones ----------------------------------------------------------------------------------

void keys_retire(struct daemon *daemon, const json_t *args, struct control_request request)
{
    struct token_id token;
    uint8_t bytes[DHT_VALUE_MAX_SIZE];
    uint8_t signature[PIECE_CONTENT_MAX];
    const char *text = json_string_value(json_object_get(args, "tombstone"));
    const char *signed_text = json_string_value(json_object_get(args, "signature"));
    size_t size = text == NULL ? 0 : strlen(text) / 2;
    size_t signed_size = signed_text == NULL ? 0 : strlen(signed_text) / 2;
    if (!serve_need_node(daemon, request) ||
        !serve_get_token(daemon, args, "token", request, &token)) {
        return;
    }
    struct verdict verdict = {.kind = VERDICT_UNKNOWN, .reason = REASON_NOT_READ, .token = token};
    enum status status = ERR_MALFORMED;
    bool is_signed =
        signed_size <= sizeof signature &&
        (signed_size == 0 || hex_parse(span_of_text(signed_text), signature, signed_size) == OK);
    if (is_signed && size > 0 && size <= sizeof bytes &&
        hex_parse(span_of_text(text), bytes, size) == OK) {
        status = node_retire(daemon->node, daemon->now, &token, span_of(bytes, size),
            span_of(signature, signed_size), &verdict);
    }
    if (status != OK) {
        control_reply_error(daemon->control, request, status == ERR_FULL ? "busy" : "bad_request",
            "\"tombstone\": %s",
            status == ERR_FULL ? "this node keeps as many as it may"
                               : "it must be one of this token, in hex, with the \"signature\" "
                                 "that it names by its hash, if any");
        return;
    }
    char why[GATE_VERDICT_TEXT_SIZE];
    struct node_status node;
    bool counts = verdict.reason == REASON_TOMBSTONE;
    verdict_text(&verdict, why);
    node_status(daemon->node, daemon->now, &node);
    control_reply_ok(daemon->control, request,
        json_pack("{s:s,s:s,s:i}", "counts", counts ? "yes" : verdict_kind_name(verdict.kind),
            "why", counts ? "" : why, "told", (int)node.connected));
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// `deedmesh info`: all that contract and DHT say of one seat.
#include "base/clock_posix.h"
#include "base/overlay.h"
#include "base/text.h"
#include "chain/eip55.h"
#include "node/cli/seat_view.h"
#include "node/instance/json_forms.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *seat_state(const struct seat_view *view)
{
    switch (view->claim) {
    case SEAT_NOT_SOUGHT:
        return "not_sought";
    case SEAT_NOT_ANSWERED:
        return "no_answer";
    case SEAT_NO_RECORD:
        return "none";
    case SEAT_RECORD:
        return "record";
    case SEAT_TOMBSTONE:
        return "retired";
    case SEAT_OWN_DELEGATION:
        return "own_delegation";
    }
    return "invalid";
}

static json_t *json_contract(const struct seat_view *view)
{
    char owner[ETH_ADDRESS_TEXT_SIZE];
    char node_id[NODE_ID_TEXT_SIZE];
    const struct gate_reading *reading = &view->reading;
    eip55_format(&reading->owner, owner);
    json_t *object = json_pack("{s:s, s:s}", "exists", verdict_kind_name(reading->kind), "reason",
        verdict_reason_name(reading->reason));
    if (reading->kind != VERDICT_YES) {
        return object;
    }
    (void)json_object_set_new(object, "owner", json_string(owner));
    if (reading->has_access) {
        (void)json_object_set_new(object, "active", json_boolean(reading->active));
        (void)json_object_set_new(object, "wg_key",
            reading->stored_key == STORED_KEY_USABLE ? json_wg_key(&reading->wg_key) : json_null());
    }
    if (view->has_detail) {
        node_id_format(&view->detail, node_id);
        (void)json_object_set_new(object, "node_id", json_string(node_id));
        (void)json_object_set_new(
            object, "created_at", json_integer((json_int_t)view->detail.created_at_s));
    }
    return object;
}

static void overlay_of(const struct seats_source *source, const struct token_id *token,
    char ret_ipv6[static ADDRESS_TEXT_SIZE], char ret_ipv4[static ADDRESS_TEXT_SIZE])
{
    struct network_id id = network_id_of(&source->network);
    struct address ipv6 = overlay_ipv6(&id, token);
    struct address ipv4;
    address_format(&ipv6, ret_ipv6);
    ret_ipv4[0] = '\0';
    if (source->has_prefix && overlay_ipv4(&source->prefix, token, &ipv4) == OK) {
        address_format(&ipv4, ret_ipv4);
    }
}

static void print_seat_json(const struct seats_source *source, const struct seat_view *view)
{
    char ipv6[ADDRESS_TEXT_SIZE];
    char ipv4[ADDRESS_TEXT_SIZE];
    char text[GATE_VERDICT_TEXT_SIZE] = "";
    overlay_of(source, &view->token, ipv6, ipv4);
    json_t *overlay = json_pack("[s]", ipv6);
    if (ipv4[0] != '\0') {
        (void)json_array_append_new(overlay, json_string(ipv4));
    }
    bool claimed = seat_has_claim(view);
    if (claimed) {
        verdict_text(&view->verdict, text);
    }
    print_json(json_pack("{s:o, s:o, s:o, s:s, s:o, s:o}", "token", json_token(&view->token),
        "overlay", overlay, "contract", json_contract(view), "seat", seat_state(view), "record",
        view->claim == SEAT_RECORD ? json_record(&view->record) : json_null(), "verdict",
        claimed ? json_pack("{s:s, s:s, s:s}", "admitted", verdict_kind_name(view->verdict.kind),
                      "reason", verdict_reason_name(view->verdict.reason), "text", text)
                : json_null()));
}

static void say_contract(const struct seat_view *view)
{
    const struct gate_reading *reading = &view->reading;
    char owner[ETH_ADDRESS_TEXT_SIZE];
    char key[WG_KEY_TEXT_SIZE];
    char node_id[NODE_ID_TEXT_SIZE];
    char created[DURATION_TEXT_SIZE];
    if (reading->kind != VERDICT_YES) {
        say("contract       %s", verdict_reason_text(reading->reason));
        return;
    }
    eip55_format(&reading->owner, owner);
    say("owner          %s", owner);
    if (view->has_detail) {
        node_id_format(&view->detail, node_id);
        date_format(view->detail.created_at_s, created);
        say("node id        %s", node_id);
        say("minted         %s", created);
    }
    if (!reading->has_access) {
        return;
    }
    say("access         %s", reading->active ? "active" : "revoked");
    wg_key_format(&reading->wg_key, key);
    say("stored key     %s", reading->stored_key == STORED_KEY_USABLE ? key
                             : reading->stored_key == STORED_KEY_EMPTY
                                 ? "none"
                                 : "unusable: no node is admitted until it is replaced");
}

static void say_record(const struct record *record)
{
    char node_key[2 * sizeof record->node_key.bytes + 1];
    char wg_key[WG_KEY_TEXT_SIZE];
    char left[DURATION_TEXT_SIZE];
    hex_format(span_of(record->node_key.bytes, sizeof record->node_key.bytes), node_key);
    wg_key_format(&record->wg_key, wg_key);
    duration_format((double)((int64_t)record->not_after_s - (int64_t)time(NULL)), left);
    say("node key       %s", node_key);
    say("WireGuard key  %s", wg_key);
    say("record         valid %s more; NAT %s%s%s", left, nat_class_name(record->nat_class),
        (record->flags & RECORD_ENTRY) != 0 ? "; entry point" : "",
        (record->flags & RECORD_RELAY) != 0 ? "; relay" : "");
    for (size_t i = 0; i < record->candidates.count; i++) {
        const struct candidate *candidate = &record->candidates.list[i];
        char address[ADDRESS_TEXT_SIZE];
        if (candidate->kind != CANDIDATE_RELAY && candidate->kind != CANDIDATE_HOST_NAME) {
            address_format(&candidate->address, address);
            say("%s %s", i == 0 ? "reachable at  " : "              ", address);
        }
    }
}

static void say_claim(const struct seat_view *view)
{
    char until[DURATION_TEXT_SIZE];
    char text[GATE_VERDICT_TEXT_SIZE];
    switch (view->claim) {
    case SEAT_NOT_SOUGHT:
        say("record         not looked for: nobody to ask (--bootstrap)");
        return;
    case SEAT_NOT_ANSWERED:
        say("record         the DHT did not answer in time");
        return;
    case SEAT_NO_RECORD:
        say("record         none: no node sits there now");
        return;
    case SEAT_TOMBSTONE:
        say("record         none: its owner has retired the node that sat there");
        break;
    case SEAT_OWN_DELEGATION:
        say("record         none was found; this instance has a delegation for the seat");
        break;
    case SEAT_RECORD:
        say_record(&view->record);
        break;
    }
    date_format(view->record.delegation.not_after_s, until);
    verdict_text(&view->verdict, text);
    say("delegation     until %s", until);
    say("verdict        %s: %s", verdict_kind_name(view->verdict.kind), text);
}

static void print_seat(const struct seats_source *source, const struct seat_view *view)
{
    char token[TOKEN_TEXT_SIZE];
    char contract[ETH_ADDRESS_TEXT_SIZE];
    char ipv6[ADDRESS_TEXT_SIZE];
    char ipv4[ADDRESS_TEXT_SIZE];
    token_id_format(&view->token, token);
    eip55_format(&source->network.contract, contract);
    overlay_of(source, &view->token, ipv6, ipv4);
    say("token          %s", token);
    say("contract       %s on chain %" PRIu64, contract, source->network.chain_id);
    say_contract(view);
    say("overlay        %s%s%s", ipv6, ipv4[0] != '\0' ? ", " : "", ipv4);
    say_claim(view);
}

int verb_info(struct cli *cli)
{
    struct seats_source source = {.cli = cli};
    struct seat_view view = {.gate = NULL};
    struct token_id token;
    const char *subject = cli->arguments.operands[0];
    bool by_token = token_id_parse(span_of_text(subject), &token) == OK;
    int result = seats_open(cli, &source);
    if (result == DONE) {
        seats_open_dht(&source);
        result = by_token ? DONE : seat_find(&source, subject, &token);
    }
    if (result == DONE) {
        result = seat_view(&source, &token, &view);
    }
    if (result == DONE && cli->arguments.json) {
        print_seat_json(&source, &view);
    } else if (result == DONE) {
        print_seat(&source, &view);
    }
    result = result == DONE && view.reading.kind != VERDICT_YES ? FAILED : result;
    seat_view_clear(&view);
    seats_close(&source);
    return result;
}

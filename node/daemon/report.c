// SPDX-License-Identifier: GPL-3.0-or-later
//
// The core's events as log lines: one word for programs, one sentence for people.
#include "base/text.h"
#include "node/daemon/daemon.h"
#include "node/daemon/log.h"

#include <stdio.h>

static const char *nat_class_text(enum nat_class nat_class)
{
    switch (nat_class) {
    case NAT_UNKNOWN:
        return "one reflector has answered so far";
    case NAT_NONE:
        return "no NAT";
    case NAT_EASY:
        return "endpoint-independent mapping";
    case NAT_HARD:
        return "mapping depends on the destination";
    case NAT_BLOCKED:
        return "no reflector answers";
    }
    return "";
}

static const char *way_text(enum intent_way way)
{
    switch (way) {
    case WAY_DIRECT:
        return "directly";
    case WAY_TUNNEL:
        return "through a tunnel";
    case WAY_INBOX:
        return "by the DHT";
    }
    return "";
}

struct line {
    char token[TOKEN_TEXT_SIZE];
    char address[ADDRESS_TEXT_SIZE];
    char verdict[GATE_VERDICT_TEXT_SIZE];
    json_t *fields;
};

static void log_verdict(const struct node_report *report, struct line *line)
{
    switch (report->event) {
    case EVENT_SELF_VERDICT:
        log_event(report->verdict.kind == VERDICT_YES ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
            "self_verdict", line->fields, "own seat: %s: %s",
            verdict_kind_name(report->verdict.kind), line->verdict);
        return;
    case EVENT_REFUSED:
        log_event(LOG_LEVEL_WARNING, "refused", line->fields, "refused%s%s: %s",
            address_is_set(&report->address) ? " from " : "",
            address_is_set(&report->address) ? line->address : "", line->verdict);
        return;
    case EVENT_REMOVED:
        log_event(LOG_LEVEL_WARNING, "removed", line->fields, "peer removed: %s", line->verdict);
        return;
    default:
        // While the chain cannot be read, a peer of before is let in for what is left of its grace.
        log_event(report->verdict.kind == VERDICT_YES ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
            "verified", line->fields,
            report->verdict.kind == VERDICT_YES ? "token %s verified on chain: %s"
                                                : "token %s let in within its grace: %s",
            line->token, line->verdict);
        return;
    }
}

static void log_peer(const struct node_report *report, struct line *line)
{
    switch (report->event) {
    case EVENT_MEMBER_FOUND:
        log_event(LOG_LEVEL_INFO, "member_found", line->fields, "member %s exists", line->token);
        return;
    case EVENT_RESOLVED:
        log_event(
            LOG_LEVEL_INFO, "resolved", line->fields, "record of token %s found", line->token);
        return;
    case EVENT_INTENT_SENT:
        log_event(LOG_LEVEL_DEBUG, "intent_sent", line->fields, "intent to token %s sent %s",
            line->token, way_text(report->how));
        return;
    case EVENT_INTENT_RECEIVED:
        log_event(LOG_LEVEL_DEBUG, "intent_received", line->fields,
            "intent of token %s received %s", line->token, way_text(report->how));
        return;
    case EVENT_PUNCHED:
        log_event(LOG_LEVEL_INFO, "punched", line->fields, "path to token %s at %s", line->token,
            line->address);
        return;
    case EVENT_CONNECTED:
        log_event(LOG_LEVEL_INFO, "connected", line->fields, "tunnel to token %s is up at %s",
            line->token, line->address);
        return;
    case EVENT_UNREACHED:
        log_event(LOG_LEVEL_INFO, "unreached", line->fields, "no path to token %s: %s", line->token,
            path_why_text(report->why));
        return;
    default:
        log_event(
            LOG_LEVEL_WARNING, "lost", line->fields, "tunnel to token %s is silent", line->token);
        return;
    }
}

static void log_retired(
    const struct daemon *daemon, const struct node_report *report, struct line *line)
{
    bool own = token_id_equal(&report->token, &daemon->token);
    log_event(own ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "retired", line->fields,
        own ? "the owner of token %s has retired this node's key; this node keeps still. To take "
              "the seat again run `deedmesh rotate`, and sign with the owner's wallet"
            : "the owner of token %s has retired the node that sat there",
        line->token);
}

static void log_ending(const struct node_report *report, struct line *line)
{
    const uint64_t hour_s = 3600;
    const uint64_t day_s = 24 * hour_s;
    bool days = report->left_s >= 2 * day_s;
    (void)json_object_set_new(line->fields, "left_s", json_integer((json_int_t)report->left_s));
    if (report->left_s == 0) {
        log_event(LOG_LEVEL_ERROR, "delegation_ended", line->fields,
            "the delegation for token %s has ended: members let this node go; run `deedmesh "
            "authorize %s --renew`",
            line->token, line->token);
        return;
    }
    log_event(LOG_LEVEL_WARNING, "delegation_ending", line->fields,
        "the delegation for token %s ends in %llu %s; run `deedmesh authorize %s --renew`",
        line->token, (unsigned long long)(report->left_s / (days ? day_s : hour_s)),
        days ? "days" : "h", line->token);
}

static void log_self(const struct node_report *report, struct line *line)
{
    switch (report->event) {
    case EVENT_ALONE:
        log_event(LOG_LEVEL_INFO, "alone", line->fields, "alone: first node");
        return;
    case EVENT_JOINED:
        log_event(LOG_LEVEL_INFO, "joined", line->fields, "joined the DHT");
        return;
    case EVENT_LEFT:
        log_event(LOG_LEVEL_WARNING, "left", line->fields,
            "no DHT node answers; asking the bootstrap hosts again");
        return;
    case EVENT_MAPPING:
        log_event(LOG_LEVEL_INFO, "mapping", line->fields, "reflexive address %s: %s",
            line->address, nat_class_text(report->nat_class));
        return;
    case EVENT_PUBLISHED:
        log_event(
            LOG_LEVEL_INFO, "published", line->fields, "record of token %s published", line->token);
        return;
    case EVENT_DISPLACED:
        log_event(LOG_LEVEL_ERROR, "displaced", line->fields,
            "another node sits in the seat of token %s with a better claim; this one keeps still. "
            "If that is wrong, run `deedmesh authorize %s` here",
            line->token, line->token);
        return;
    case EVENT_RECLAIMED:
        log_event(LOG_LEVEL_INFO, "reclaimed", line->fields,
            "nothing outranks this node any more: it takes the seat of token %s again",
            line->token);
        return;
    case EVENT_WG_KEY:
        log_event(LOG_LEVEL_INFO, "wg_key_changed", line->fields,
            "the WireGuard key is replaced; tunnels begin anew");
        return;
    default:
        log_ending(report, line);
        return;
    }
}

void report_log(struct daemon *daemon, const struct node_report *report)
{
    struct line line;
    token_id_format(&report->token, line.token);
    address_format(&report->address, line.address);
    verdict_text(&report->verdict, line.verdict);
    line.fields = json_pack("{s:s,s:s,s:s,s:I}", "token", line.token, "address", line.address,
        "reason", verdict_reason_name(report->verdict.reason), "uptime_ms",
        (json_int_t)mono_since(daemon->started_at, daemon->now.mono));
    switch (report->event) {
    case EVENT_SELF_VERDICT:
    case EVENT_REFUSED:
    case EVENT_REMOVED:
    case EVENT_VERIFIED:
        log_verdict(report, &line);
        return;
    case EVENT_ALONE:
    case EVENT_JOINED:
    case EVENT_LEFT:
    case EVENT_MAPPING:
    case EVENT_PUBLISHED:
    case EVENT_DISPLACED:
    case EVENT_RECLAIMED:
    case EVENT_WG_KEY:
    case EVENT_DELEGATION_ENDING:
        log_self(report, &line);
        return;
    case EVENT_PROOF:
        log_event(report->proof == PROOF_ON ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "proof",
            line.fields, "trust = proof: %s%s", proof_standing_text(report->proof),
            proof_demanded(report->proof) ? "" : "; the quorum decides meanwhile");
        return;
    case EVENT_RETIRED:
        log_retired(daemon, report, &line);
        return;
    case EVENT_MEMBER_FOUND:
    case EVENT_RESOLVED:
    case EVENT_INTENT_SENT:
    case EVENT_INTENT_RECEIVED:
    case EVENT_PUNCHED:
    case EVENT_CONNECTED:
    case EVENT_UNREACHED:
    case EVENT_LOST:
        log_peer(report, &line);
        return;
    }
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The contract is read first, since only a record by the present owner counts; a contract wallet is
// asked last, through the same gate.
#include "node/cli/seat_view.h"

#include "base/clock_posix.h"
#include "base/text.h"
#include "chain/abi.h"

#include <stdlib.h>
#include <string.h>

enum {
    TOKENS_MAX = 4,
    WALLETS_MAX = 4,
    TURN_MS = 250,
    STRAGGLE_MS = 2000, // for the providers behind the quorum
    CALL_SIZE = 4 + 2 * ABI_WORD + GATE_NODE_ID_MAX + ABI_WORD,
    NODE_KEY_DIGITS = 64,
};

static const uint32_t token_id_by_node_id = 0xb9244a9f; // getTokenIdByNodeId(string)

// --- the contract ---

static int create_gate(const struct seats_source *source, struct seat_view *view)
{
    const struct gate_config config = {
        .network = source->network,
        .profile = source->profile,
        .trust = source->trust,
        .providers = chain_client_count(source->chain),
        .tokens_max = TOKENS_MAX,
        .members_max = source->trust == TRUST_POLICY_PROOF ? TOKENS_MAX : 0,
        .window_max_s = source->window_s,
        .details = true,
        .wallets = WALLETS_MAX,
        .registry = source->registry,
    };
    struct rng rng = chain_drive_rng();
    enum status status = gate_create(&config, &rng, &view->gate);
    return status == OK ? DONE
                        : complain(source->cli, FAILED, "internal", "%s", status_text(status));
}

// What the gate has told until now.
struct news {
    bool refreshed;  // the reading of the token is complete
    bool enumerated; // all members are known
};

static void take_news(struct seat_view *view, struct news *news)
{
    struct gate_event event;
    while (gate_next_event(view->gate, &event)) {
        switch (event.kind) {
        case GATE_EVENT_TOKEN:
            news->refreshed = news->refreshed ||
                              (!event.refreshing && token_id_equal(&event.token, &view->token));
            break;
        case GATE_EVENT_MEMBER: // to find the owners' place by; further ones than it holds are not
            (void)!gate_watch(view->gate, &event.token, clock_now());
            break;
        case GATE_EVENT_ENUMERATED:
            news->enumerated = true;
            break;
        case GATE_EVENT_MEMBER_GONE:
        case GATE_EVENT_PROVIDER:
        case GATE_EVENT_PROFILE:
        case GATE_EVENT_PROOF:
            break;
        }
    }
}

// Whether the owner has been proven, or it is clear that he cannot be.
static bool proof_settled(const struct seat_view *view, const struct news *news)
{
    struct gate_trust trust = gate_trust(view->gate);
    if (trust.policy != TRUST_POLICY_PROOF) {
        return true;
    }
    switch (trust.proof) {
    case PROOF_SEARCHING:
    case PROOF_LACKING:
        return false;
    case PROOF_FEW_TOKENS:
        return news->enumerated && gate_member_count(view->gate) < 2;
    case PROOF_ON:
        return gate_read(view->gate, &view->token, clock_now()).reason != REASON_NOT_PROVEN;
    case PROOF_OFF:
    case PROOF_NO_PLACE:
    case PROOF_NOT_SERVED:
    case PROOF_UNKNOWN_HEADER:
    case PROOF_BEACON:
    case PROOF_CHANGED:
        break;
    }
    return true;
}

// A quorum may be complete before all have spoken, and who contradicts it is worth showing.
static bool all_spoke(const struct seat_view *view, size_t providers)
{
    struct now now = clock_now();
    size_t silent = 0;
    for (size_t i = 0; i < providers; i++) {
        enum provider_health health = gate_provider_status(view->gate, i, now).health;
        bool pending = health == PROVIDER_GOOD || health == PROVIDER_UNCHECKED;
        silent +=
            pending && gate_statement(view->gate, &view->token, i, now).reason == REASON_NOT_READ
                ? 1
                : 0;
    }
    return silent == 0;
}

static void read_token(const struct seats_source *source, struct seat_view *view)
{
    struct chain_machine machine = machine_of_gate(view->gate);
    struct mono until = mono_add(clock_mono(), SEAT_READ_MS);
    struct mono straggle = until;
    struct news news = {.refreshed = false};
    bool over = gate_watch(view->gate, &view->token, clock_now()) != OK ||
                gate_refresh(view->gate, &view->token, clock_now()) != OK;
    while (!over && !mono_due(until, clock_mono())) {
        chain_turn(source->chain, &machine, mono_add(clock_mono(), TURN_MS));
        bool was_refreshed = news.refreshed;
        take_news(view, &news);
        if (news.refreshed && !was_refreshed) {
            straggle = mono_add(clock_mono(), STRAGGLE_MS);
        }
        over = news.refreshed && proof_settled(view, &news) &&
               (mono_due(straggle, clock_mono()) ||
                   all_spoke(view, chain_client_count(source->chain)));
    }
    struct now now = clock_now();
    view->reading = gate_read(view->gate, &view->token, now);
    view->has_detail = gate_read_detail(view->gate, &view->token, now, &view->detail) == OK;
}

// --- the record ---

static void seek_record(const struct seats_source *source, struct seat_view *view)
{
    struct state_error error;
    struct state_delegation kept;
    const struct eth_address *owner =
        view->reading.kind == VERDICT_YES ? &view->reading.owner : NULL;
    enum status status = source->dht == NULL ? ERR_UNSUPPORTED
                                             : dht_client_record(source->dht, &view->token, owner,
                                                   SEAT_RECORD_MS, &view->record);
    if (status == OK) {
        view->claim = record_is_tombstone(&view->record) ? SEAT_TOMBSTONE : SEAT_RECORD;
        return;
    }
    view->claim = status == ERR_NOT_FOUND     ? SEAT_NO_RECORD
                  : status == ERR_UNSUPPORTED ? SEAT_NOT_SOUGHT
                                              : SEAT_NOT_ANSWERED;
    if (source->state != NULL &&
        state_delegation_read(source->state, &view->token, &kept, &error) == OK &&
        kept.network.chain_id == source->network.chain_id &&
        eth_address_equal(&kept.network.contract, &source->network.contract)) {
        view->record = (struct record){.token = view->token,
            .node_key = kept.delegation.node_key,
            .delegation = kept.delegation};
        view->claim = SEAT_OWN_DELEGATION;
    }
}

// A signature that is too long for the record, from its pieces. False if they are not there.
static bool fetch_signature(const struct seats_source *source, struct piece_join *join)
{
    struct mono until = mono_add(clock_mono(), SEAT_RECORD_MS);
    struct hash256 wanted[PIECE_PARTS_MAX];
    while (source->dht != NULL && !piece_join_complete(join) && !mono_due(until, clock_mono())) {
        struct dht_event event;
        size_t pending = piece_join_wanted(join, wanted);
        for (size_t i = 0; i < pending; i++) {
            struct dht_key key = key_of_piece_hash(&wanted[i]);
            pending = dht_client_get(source->dht, i + 1, &key) == OK ? pending : i;
        }
        size_t left = pending;
        while (left > 0 && !mono_due(until, clock_mono()) &&
               dht_client_next(source->dht, SEAT_RECORD_MS, &event)) {
            if (event.kind == DHT_EVENT_VALUE &&
                piece_join_take(join, event.value) == ERR_MALFORMED) {
                return false;
            }
            left -= event.kind == DHT_EVENT_GET_DONE ? 1 : 0;
        }
    }
    return piece_join_complete(join);
}

// --- the verdict ---

static void judge(const struct seats_source *source, struct seat_view *view)
{
    struct piece_join *join = calloc(1, sizeof *join);
    struct chain_machine machine = machine_of_gate(view->gate);
    struct mono until = mono_add(clock_mono(), SEAT_READ_MS);
    struct gate_claim claim = {.delegation = &view->record.delegation,
        .wg_key = view->record.wg_key,
        .sequence = view->record.sequence};
    if (view->claim == SEAT_OWN_DELEGATION && view->reading.stored_key == STORED_KEY_USABLE) {
        claim.wg_key = view->reading.wg_key; // without a record there is none to compare
    }
    if (join != NULL && piece_join_begin(join, &view->record.delegation) == OK &&
        fetch_signature(source, join)) {
        claim.signature = piece_join_content(join);
    }
    do {
        gate_explain(view->gate, clock_now(), &claim, view->checks);
        if (view->checks[GATE_CHECK_SIGNATURE].reason != REASON_WALLET_ASKED) {
            break;
        }
        chain_turn(source->chain, &machine, mono_add(clock_mono(), TURN_MS));
    } while (!mono_due(until, clock_mono()));
    view->verdict = gate_decide(view->gate, clock_now(), &claim);
    free(join);
}

int seat_view(struct seats_source *source, const struct token_id *token, struct seat_view *ret)
{
    ret->token = *token;
    int result = create_gate(source, ret);
    if (result != DONE) {
        return result;
    }
    read_token(source, ret);
    seek_record(source, ret);
    if (seat_has_claim(ret)) {
        judge(source, ret);
    }
    return DONE;
}

void seat_view_clear(struct seat_view *view)
{
    gate_destroy(view->gate);
    *view = (struct seat_view){.gate = NULL};
}

// --- by name ---

static bool node_key_of(const char *node, struct node_key *ret)
{
    return strlen(node) == NODE_KEY_DIGITS &&
           hex_parse(span_of_text(node), ret->bytes, sizeof ret->bytes) == OK;
}

// OK, ERR_NOT_FOUND, or ERR_UNSUPPORTED: the contract has no node ids, or nobody answers.
static enum status find_by_node_id(
    const struct seats_source *source, const char *node, struct token_id *ret)
{
    uint8_t bytes[CALL_SIZE] = {0};
    uint8_t word[ABI_WORD];
    struct chain_read read;
    struct writer writer = writer_of(bytes, sizeof bytes);
    size_t size = strlen(node);
    if (size == 0 || size > GATE_NODE_ID_MAX) {
        return ERR_NOT_FOUND;
    }
    write_u32(&writer, token_id_by_node_id);
    abi_word_of_u64(ABI_WORD, word);
    write_bytes(&writer, word, sizeof word);
    abi_word_of_u64(size, word);
    write_bytes(&writer, word, sizeof word);
    write_bytes(&writer, (const uint8_t *)node, size);
    size_t padded = 4 + (2 + (size + ABI_WORD - 1) / ABI_WORD) * ABI_WORD;
    chain_client_read(source->chain, &source->network.contract, span_of(bytes, padded), &read);
    enum status status = ERR_UNSUPPORTED;
    if (read.verdict == CHAIN_RESULT && read.size == ABI_WORD) {
        memcpy(ret->bytes, read.data, sizeof ret->bytes);
        status = token_id_equal(ret, &token_id_zero) ? ERR_NOT_FOUND : OK;
    }
    chain_read_clear(&read);
    return status;
}

static bool row_is_node(const struct survey_row *row, const struct sight *sight,
    const struct node_key *node_key, const struct wg_key *wg_key)
{
    bool seated = sight != NULL && sight->kind == SIGHT_RECORD;
    if (node_key != NULL) {
        return seated && node_key_equal(&sight->node_key, node_key);
    }
    return (seated && wg_key_equal(&sight->wg_key, wg_key)) ||
           (row->read && row->has_access && row->stored_key == STORED_KEY_USABLE &&
               wg_key_equal(&row->wg_key, wg_key));
}

static enum status find_in_list(
    struct seats_source *source, const char *node, struct token_id *ret, int *ret_exit)
{
    const struct seats_options options = {.records = true};
    struct seats seats = {.survey = NULL};
    struct node_key node_key;
    struct wg_key wg_key;
    bool is_node_key = node_key_of(node, &node_key);
    if (!is_node_key && wg_key_parse(span_of_text(node), &wg_key) != OK) {
        return ERR_NOT_FOUND;
    }
    enum status status = ERR_NOT_FOUND;
    *ret_exit = seats_load(source, &options, &seats);
    for (size_t i = 0; *ret_exit == DONE && status != OK && i < seats.count; i++) {
        const struct survey_row *row = survey_row(seats.survey, i);
        if (row_is_node(row, seats.sights == NULL ? NULL : &seats.sights[i],
                is_node_key ? &node_key : NULL, &wg_key)) {
            *ret = row->token;
            status = OK;
        }
    }
    if (status != OK && *ret_exit == DONE && seats.progress.phase != SURVEY_DONE) {
        warn("deedmesh: not all seats could be read (%zu of %zu)", seats.progress.read,
            seats.progress.found);
    }
    seats_clear(&seats);
    return status;
}

int seat_find(struct seats_source *source, const char *node, struct token_id *ret)
{
    int result = DONE;
    enum status status = find_by_node_id(source, node, ret);
    if (status != OK) {
        status = find_in_list(source, node, ret, &result);
    }
    if (result != DONE || status == OK) {
        return result;
    }
    return complain(source->cli, FAILED, "not_found",
        "no seat's node goes by '%s': it is no node id in the contract, and no node key (64 hex "
        "digits) or WireGuard key (base64) of a node that the DHT knows",
        node);
}

enum verdict_kind seat_is_node(const struct seat_view *view, const char *node)
{
    struct node_key node_key;
    struct wg_key wg_key;
    size_t size = strlen(node);
    bool is_node_key = node_key_of(node, &node_key);
    bool is_wg_key = wg_key_parse(span_of_text(node), &wg_key) == OK;
    if (view->has_detail && view->detail.node_id_size == size &&
        memcmp(view->detail.node_id, node, size) == 0) {
        return VERDICT_YES;
    }
    if (is_node_key && seat_has_claim(view)) {
        return node_key_equal(&node_key, &view->record.node_key) ? VERDICT_YES : VERDICT_NO;
    }
    if (is_wg_key && view->claim == SEAT_RECORD) {
        return wg_key_equal(&wg_key, &view->record.wg_key) ? VERDICT_YES : VERDICT_NO;
    }
    if (is_wg_key && view->reading.stored_key == STORED_KEY_USABLE) {
        return wg_key_equal(&wg_key, &view->reading.wg_key) ? VERDICT_YES : VERDICT_NO;
    }
    return is_node_key || is_wg_key || !view->has_detail ? VERDICT_UNKNOWN : VERDICT_NO;
}

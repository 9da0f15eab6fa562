// SPDX-License-Identifier: GPL-3.0-or-later
//
// Proven owners before a model chain of three providers: all may lie about owners when they are
// called, one of them in every other way too, and bytes of its replies change on the way. The input
// is a program. Whatever it does, nobody is a proven owner who was none lately. In programs of odd
// size there are no proofs but logs, the search for members, and a contract wallet, whose signature
// the liar alone never gets accepted.
#include "tests/unit/chain/model.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    PROVIDERS = 3,
    LIAR = 2,
    TOKENS = 4,
    WALLET_TOKEN = 5, // owned by a contract wallet
    STEPS_MAX = 48,
    CALLS_MAX = 20000,
    LATELY_BLOCKS = 25, // of 2 s: an answer counts for 30 s, a block is fresh for a while before
};

static struct model model;

static bool owned_lately(uint64_t id, const struct eth_address *owner)
{
    const struct model_token *token = model_token(&model, id);
    uint64_t now = model_block(&model);
    for (size_t i = 0; i < token->owner_count; i++) {
        uint64_t end = i + 1 < token->owner_count ? token->owners[i + 1].block : UINT64_MAX;
        if (eth_address_equal(&token->owners[i].owner, owner) &&
            (end > now || now - end <= LATELY_BLOCKS)) {
            return true;
        }
    }
    return false;
}

static void check(void)
{
    for (uint64_t id = 1; id <= TOKENS; id++) {
        struct token_id token = token_id_of_u64(id);
        struct gate_reading reading = gate_read(model.gate, &token, model.now);
        ASSERT(!reading.owner_proven || proof_demanded(gate_trust(model.gate).proof));
        ASSERT(!reading.owner_proven || eth_address_is_zero(&reading.owner) ||
               owned_lately(id, &reading.owner));
        if (proof_demanded(gate_trust(model.gate).proof)) {
            ASSERT(reading.kind != VERDICT_YES || reading.owner_proven);
        }
    }
}

// Answers what is asked for; the liar's replies have the byte at `at` changed by `by`.
static void answer(uint16_t at, uint8_t by)
{
    struct gate_call call;
    size_t calls = 0;
    while (gate_next_call(model.gate, model.now, &call)) {
        ASSERT(++calls < CALLS_MAX);
        uint8_t *request = malloc(call.body.size);
        ASSERT(request != NULL);
        memcpy(request, call.body.data, call.body.size);
        struct model_reply reply;
        model_answer(&model, call.provider, call.id, span_of(request, call.body.size), &reply);
        if (call.provider == LIAR && reply.owned != NULL && reply.reply.body.size > 0) {
            reply.owned[at * 37U % reply.reply.body.size] ^= by;
        }
        if (reply.comes) {
            gate_on_reply(model.gate, model.now, call.id, &reply.reply);
        }
        model_reply_clear(&reply);
        free(request);
        check();
    }
    struct gate_event event;
    while (gate_next_event(model.gate, &event)) {
    }
}

static void trick_logs(struct model_provider *provider, uint8_t how)
{
    uint8_t more = how / 8;
    switch (how % 8) {
    case 0:
        provider->no_logs = more % 2 == 0;
        break;
    case 1:
        provider->logs_cap = more;
        break;
    case 2:
        provider->logs_blind = more;
        break;
    case 3:
        provider->invents = more;
        break;
    case 4:
        provider->ahead_s = more * 1000U;
        break;
    case 5:
        provider->endless = more % 2 == 0;
        break;
    case 6:
        provider->no_past = more % 2 == 0;
        break;
    default:
        provider->wallet_lie = (enum model_wallet_lie)(more % (WALLET_FAULTY + 1));
        break;
    }
}

// A signature that the wallet does not accept, of any size.
static void claim_by_wallet(uint8_t how)
{
    struct delegation delegation = model_delegation(&model, WALLET_TOKEN, ALICE, NODE);
    delegation.kind = DELEGATION_EIP1271;
    delegation.owner = model.wallets[0].address;
    delegation.signature_size = how % 65;
    ASSERT(model_decide(&model, &delegation).kind != VERDICT_YES);
}

static void step(uint8_t what, uint8_t how)
{
    uint64_t id = 1 + how % TOKENS;
    struct token_id token = token_id_of_u64(1 + how % (model.proofs ? TOKENS : WALLET_TOKEN));
    switch (what % 13) {
    case 0:
        (void)(gate_watch(model.gate, &token, model.now) == OK);
        break;
    case 1:
        (void)(gate_refresh(model.gate, &token, model.now) == OK);
        break;
    case 2:
        model.providers[LIAR].forgery = (enum model_forgery)(how % (FORGE_LARGE + 1));
        model.providers[LIAR].lie = model_address(MALLORY);
        break;
    case 3:
        model.providers[how % PROVIDERS].lies = how >= 128;
        model.providers[how % PROVIDERS].lie = model_address(MALLORY);
        break;
    case 4:
        if (model_token(&model, id)->owner_count < MODEL_OWNERS_MAX) {
            model_set_owner(&model, id,
                how >= 192 ? (struct eth_address){{0}} : model_address(how >= 128 ? ALICE : BOB));
        }
        break;
    case 5:
        model.code = how % 2;
        break;
    case 6:
        model.providers[how % PROVIDERS].lag_blocks = how % 3;
        break;
    case 8:
        trick_logs(&model.providers[LIAR], how);
        break;
    case 9:
        gate_enumerate(model.gate, model.now);
        break;
    case 10:
        claim_by_wallet(how);
        break;
    case 11:
        if (model.key_count < MODEL_OWNERS_MAX) {
            model_update_key(&model, model_address(how % 2 == 0 ? ALICE : BOB));
        }
        break;
    default:
        model.now.mono.ms += how * 60U;
        model.now.unix_time.ms += how * 60U;
        gate_on_deadline(model.gate, model.now);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct gate_config proofs = {
        .profile = PROFILE_ERC721, .trust = TRUST_POLICY_PROOF, .tokens_max = TOKENS};
    const struct gate_config others = {.profile = PROFILE_ERC721,
        .tokens_max = TOKENS + 1,
        .members_max = 8,
        .enumerate_ms = 5000,
        .logs_ms = 1000,
        .wallets = 4};
    memset(&model, 0, sizeof model);
    model.proofs = size % 2 == 0;
    model_start(&model, model.proofs ? proofs : others, PROVIDERS);
    for (uint64_t id = 1; id <= TOKENS; id++) {
        model_set_owner(&model, id, model_address(id % 2 == 0 ? ALICE : BOB));
    }
    model_set_owner(&model, WALLET_TOKEN, model_add_wallet(&model, 1, 2, 2)->address);
    for (size_t i = 0; i + 4 <= size && i / 4 < STEPS_MAX; i += 4) {
        step(data[i], data[i + 1]);
        answer(
            (uint16_t)(data[i + 2] * 256U + data[i + 3]), data[i + 3] % 4 == 0 ? data[i + 2] : 0);
    }
    model_stop(&model);
    return 0;
}

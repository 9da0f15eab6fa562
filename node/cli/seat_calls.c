// SPDX-License-Identifier: GPL-3.0-or-later
//
// `deedmesh register`, `revoke`, `transfer`: what the contract's owner and a token's owner do.
#include "node/cli/seat_calls.h"

#include "base/text.h"
#include "chain/call.h"
#include "chain/eip55.h"
#include "chain/keccak.h"
#include "node/cli/network.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
    NODE_ID_MAX = 255,    // bytes, as the contract has it
    TOKEN_URI_MAX = 2048, // bytes
    CALL_DATA_MAX = 4096,
    PURPOSE_SIZE = 400,
};

int seat_network(struct cli *cli, struct manifest *ret)
{
    struct state *state = NULL;
    struct state_error error;
    enum status status =
        state_open(cli->directories.state, cli->instance, STATE_EXISTING, &state, &error);
    if (status != OK && status != ERR_NOT_FOUND) {
        return complain_state(cli, status, &error);
    }
    int result = chosen_network(cli, state, ret);
    state_close(state);
    return result;
}

// Writes the call and runs it. `form` fits CALL_DATA_MAX with what the verbs let in.
static int run(struct transact *transact, const struct network *network,
    const struct call_form *form, const struct call_value *values, const char *purpose,
    const char *warning, struct transact_receipt *ret)
{
    uint8_t data[CALL_DATA_MAX];
    struct writer writer = writer_of(data, sizeof data);
    call_write(form, values, &writer);
    ASSERT(writer_finish(&writer) == OK);
    struct transact_call call = {
        .purpose = purpose,
        .warning = warning,
        .to = network->contract,
        .data = writer_written(&writer),
    };
    return transact_run(transact, &call, ret);
}

static int address_option(
    struct cli *cli, const char *name, const char *text, struct eth_address *ret)
{
    enum status status = eip55_parse(span_of_text(text), ret);
    if (status != OK) {
        return complain(cli, USAGE_ERROR, "usage", "%s %s: %s", name, text,
            status == ERR_MISMATCH
                ? "its checksum (upper and lower case) is wrong; was it mistyped?"
                : "expected an address, 0x and 40 hex digits");
    }
    if (eth_address_is_zero(ret)) {
        return complain(
            cli, USAGE_ERROR, "usage", "%s %s: nobody has the zero address", name, text);
    }
    return DONE;
}

// The members of every result, and the verb's own; takes over the references.
static void print_result(const struct transact_receipt *receipt, json_t *members)
{
    json_t *object = transact_receipt_json(receipt);
    (void)json_object_update(object, members);
    json_decref(members);
    print_json(object);
}

// --- register ---

struct registration {
    struct manifest manifest;
    struct eth_address owner;
    bool has_owner; // else the signer
    const char *node_id;
    char wg_key[WG_KEY_TEXT_SIZE]; // "" = none
    const char *uri;
};

// Bytes that a terminal or a log can show: the id is everybody's to read.
static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            return false;
        }
    }
    return true;
}

static int take_own_key(struct cli *cli, struct registration *registration)
{
    struct state *state = NULL;
    struct state_error error;
    struct wg_secret secret;
    enum status status =
        state_open(cli->directories.state, cli->instance, STATE_EXISTING, &state, &error);
    if (status == OK) {
        status = state_wg_key_read(state, &secret, &error);
        state_close(state);
    }
    if (status == ERR_NOT_FOUND) {
        return complain(cli, FAILED, "no_keys",
            "%s has no WireGuard key yet; run `deedmesh keygen` first, give the node's key with "
            "--wg-key BASE64, or --wg-key none to leave it to the owner",
            cli->instance);
    }
    if (status != OK) {
        return complain_state(cli, status, &error);
    }
    struct wg_key key = wg_secret_public(&secret);
    sodium_memzero(&secret, sizeof secret);
    wg_key_format(&key, registration->wg_key);
    return DONE;
}

static int take_key(struct cli *cli, struct registration *registration)
{
    const char *text = cli->arguments.wg_key;
    struct wg_key key;
    if (text == NULL) {
        return take_own_key(cli, registration);
    }
    if (strcmp(text, "none") == 0) {
        return DONE;
    }
    if (wg_key_parse(span_of_text(text), &key) != OK) {
        return complain(cli, USAGE_ERROR, "usage",
            "--wg-key %s: expected a public key as `wg pubkey` prints it (44 characters of "
            "base64), or none",
            text);
    }
    wg_key_format(&key, registration->wg_key);
    return DONE;
}

static int take_registration(struct cli *cli, struct registration *registration)
{
    const struct arguments *arguments = &cli->arguments;
    registration->node_id = arguments->node_id;
    registration->uri = arguments->token_uri != NULL ? arguments->token_uri : "";
    size_t size = registration->node_id != NULL ? strlen(registration->node_id) : 0;
    if (size == 0 || size > NODE_ID_MAX || !is_printable(registration->node_id)) {
        return complain(cli, USAGE_ERROR, "usage",
            "--node-id: give the node a name of 1 to %d printable bytes, e.g. --node-id node-1",
            NODE_ID_MAX);
    }
    if (strlen(registration->uri) > TOKEN_URI_MAX || !is_printable(registration->uri)) {
        return complain(
            cli, USAGE_ERROR, "usage", "--token-uri: at most %d printable bytes", TOKEN_URI_MAX);
    }
    int result = DONE;
    if (arguments->to != NULL) {
        registration->has_owner = true;
        result = address_option(cli, "--to", arguments->to, &registration->owner);
    }
    if (result == DONE) {
        result = seat_network(cli, &registration->manifest);
    }
    if (result == DONE && registration->manifest.profile == PROFILE_ERC721) {
        result = complain(cli, FAILED, "profile",
            "the network's contract is of the profile erc721: it has no mintNodeAccess, and how "
            "its "
            "tokens are made is its own affair");
    }
    return result == DONE ? take_key(cli, registration) : result;
}

// The token that the contract says it has made; false if it says nothing of the kind.
static bool minted_token(
    const struct transact_receipt *receipt, const struct network *network, struct token_id *ret)
{
    static const char event[] = "NodeAccessGranted(uint256,string,address,string)";
    struct hash256 wants = keccak256(span_of_text(event));
    for (size_t i = 0; i < json_array_size(receipt->logs); i++) {
        const json_t *log = json_array_get(receipt->logs, i);
        const json_t *topics = json_object_get(log, "topics");
        struct eth_address address;
        struct hash256 topic;
        if (json_bytes(json_object_get(log, "address"), address.bytes, sizeof address.bytes) &&
            eth_address_equal(&address, &network->contract) &&
            json_bytes(json_array_get(topics, 0), topic.bytes, sizeof topic.bytes) &&
            hash256_equal(&topic, &wants) &&
            json_bytes(json_array_get(topics, 1), ret->bytes, sizeof ret->bytes)) {
            return true;
        }
    }
    return false;
}

static int say_registered(struct cli *cli, const struct registration *registration,
    const struct transact_receipt *receipt)
{
    struct token_id id;
    char token[TOKEN_TEXT_SIZE];
    char owner[ETH_ADDRESS_TEXT_SIZE];
    eip55_format(&registration->owner, owner);
    if (!minted_token(receipt, &registration->manifest.network, &id)) {
        return complain(cli, FAILED, "no_token",
            "the transaction was mined, but the contract does not say which token it made; look "
            "for node id %s in `deedmesh list`",
            registration->node_id);
    }
    token_id_format(&id, token);
    if (cli->arguments.json) {
        print_result(
            receipt, json_pack("{s:s, s:s, s:s, s:s}", "token", token, "owner", owner, "node_id",
                         registration->node_id, "wg_key", registration->wg_key));
    } else {
        say("token %s: the seat of %s, owned by %s.\nOn that node go on with: deedmesh authorize "
            "%s",
            token, registration->node_id, owner, token);
    }
    return DONE;
}

int verb_register(struct cli *cli)
{
    struct registration registration = {0};
    struct transact *transact = NULL;
    struct transact_receipt receipt = {0};
    char purpose[PURPOSE_SIZE];
    int result = take_registration(cli, &registration);
    if (result == DONE) {
        result = transact_open(cli, registration.manifest.network.chain_id, &transact);
    }
    if (result != DONE) {
        return result;
    }
    if (!registration.has_owner) {
        registration.owner = transact_sender(transact);
    }
    const struct call_value values[] = {
        {.address = registration.owner},
        {.text = span_of_text(registration.node_id)},
        {.text = span_of_text(registration.wg_key)},
        {.text = span_of_text(registration.uri)},
    };
    (void)snprintf(purpose, sizeof purpose, "register %s", registration.node_id);
    result = run(transact, &registration.manifest.network, &call_mint_node_access, values, purpose,
        registration.wg_key[0] == '\0'
            ? "Without a key on chain no node is admitted to the seat until its owner sets one."
            : NULL,
        &receipt);
    if (result == DONE && !receipt.dry_run) {
        result = say_registered(cli, &registration, &receipt);
    }
    transact_receipt_clear(&receipt);
    transact_close(transact);
    return result;
}

// --- revoke ---

int verb_revoke(struct cli *cli)
{
    struct manifest manifest = {0};
    struct transact *transact = NULL;
    struct transact_receipt receipt = {0};
    struct call_value value = {0};
    char token[TOKEN_TEXT_SIZE];
    char purpose[PURPOSE_SIZE];
    if (!token_option(cli, cli->arguments.operands[0], &value.number)) {
        return USAGE_ERROR;
    }
    int result = seat_network(cli, &manifest);
    if (result == DONE && manifest.profile == PROFILE_ERC721) {
        result = complain(cli, FAILED, "profile",
            "the network's contract is of the profile erc721: its seats cannot be revoked, only "
            "transferred");
    }
    if (result == DONE) {
        result = transact_open(cli, manifest.network.chain_id, &transact);
    }
    if (result != DONE) {
        return result;
    }
    token_id_format(&value.number, token);
    (void)snprintf(purpose, sizeof purpose, "revoke token %s", token);
    result = run(transact, &manifest.network, &call_revoke_node_access, &value, purpose,
        "Revoking is for good: the token stays its owner's, but no node is admitted to its seat "
        "any more.",
        &receipt);
    if (result == DONE && !receipt.dry_run) {
        if (cli->arguments.json) {
            print_result(&receipt, json_pack("{s:s, s:b}", "token", token, "revoked", 1));
        } else {
            say("token %s is revoked: members remove its node at their next look at the chain.",
                token);
        }
    }
    transact_receipt_clear(&receipt);
    transact_close(transact);
    return result;
}

// --- transfer ---

static int say_transferred(
    struct cli *cli, const char *token, const char *to, const struct transact_receipt *receipt)
{
    if (cli->arguments.json) {
        print_result(receipt, json_pack("{s:s, s:s}", "token", token, "owner", to));
    } else {
        say("token %s belongs to %s. The node in its seat is out at the members' next look at the "
            "chain;\nthe new owner goes on with: deedmesh authorize %s",
            token, to, token);
    }
    return DONE;
}

int verb_transfer(struct cli *cli)
{
    struct manifest manifest = {0};
    struct transact *transact = NULL;
    struct transact_receipt receipt = {0};
    struct call_value values[3] = {0}; // from, to, token
    char token[TOKEN_TEXT_SIZE];
    char to[ETH_ADDRESS_TEXT_SIZE];
    char purpose[PURPOSE_SIZE];
    if (!token_option(cli, cli->arguments.operands[0], &values[2].number)) {
        return USAGE_ERROR;
    }
    int result = address_option(cli, "ADDRESS", cli->arguments.operands[1], &values[1].address);
    if (result == DONE) {
        result = seat_network(cli, &manifest);
    }
    if (result == DONE) {
        result = transact_open(cli, manifest.network.chain_id, &transact);
    }
    if (result != DONE) {
        return result;
    }
    values[0].address = transact_sender(transact);
    token_id_format(&values[2].number, token);
    eip55_format(&values[1].address, to);
    if (eth_address_equal(&values[0].address, &values[1].address)) {
        result =
            complain(cli, USAGE_ERROR, "usage", "%s is the account that signs: to itself?", to);
        goto out;
    }
    (void)snprintf(purpose, sizeof purpose, "transfer token %s to %s", token, to);
    result = run(transact, &manifest.network, &call_safe_transfer, values, purpose,
        "The seat goes with the token: the node that sits in it now is put out, and comes back "
        "only if the new owner authorises it.",
        &receipt);
    if (result == DONE && !receipt.dry_run) {
        result = say_transferred(cli, token, to, &receipt);
    }
out:
    transact_receipt_clear(&receipt);
    transact_close(transact);
    return result;
}

// --- the key on chain ---

int seat_set_public_key(struct transact *transact, const struct network *network,
    const struct token_id *token, const struct wg_key *key, struct transact_receipt *ret)
{
    char text[WG_KEY_TEXT_SIZE] = "";
    char token_text[TOKEN_TEXT_SIZE];
    char purpose[PURPOSE_SIZE];
    if (key != NULL) {
        wg_key_format(key, text);
    }
    const struct call_value values[] = {{.number = *token}, {.text = span_of_text(text)}};
    token_id_format(token, token_text);
    (void)snprintf(purpose, sizeof purpose, "set the WireGuard key of token %s", token_text);
    return run(transact, network, &call_set_public_key, values, purpose, NULL, ret);
}

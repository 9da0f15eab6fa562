// SPDX-License-Identifier: GPL-3.0-or-later
//
// Manifests: shown and pinned.
#include "node/cli/network.h"

#include "base/text.h"
#include "chain/eip55.h"
#include "chain/url.h"

#include <inttypes.h>
#include <stdio.h>

int pinned_manifest(
    struct cli *cli, const struct state *state, struct manifest *ret, bool *ret_none)
{
    struct state_content content;
    struct state_error error;
    enum status status =
        state_read(state, STATE_MANIFEST, STATE_MANIFEST_VERSION, &content, &error);
    if (ret_none != NULL) {
        *ret_none = status == ERR_NOT_FOUND;
    }
    if (status == ERR_NOT_FOUND) {
        return ret_none != NULL ? DONE
                                : complain(cli, FAILED, "no_network",
                                      "%s belongs to no network yet; run `deedmesh join "
                                      "HOST:PORT/FINGERPRINT`, or `deedmesh init` to start one",
                                      cli->instance);
    }
    if (status != OK) {
        return complain_state(cli, status, &error);
    }
    status = manifest_decode(span_of(content.data, content.size), ret);
    state_content_clear(&content);
    if (status != OK) {
        return complain(cli, FAILED, "state",
            "%s/manifest: %s; move it away and run `deedmesh join` again", state_path(state),
            status_text(status));
    }
    return DONE;
}

int network_option(struct cli *cli, struct network *ret)
{
    const struct arguments *arguments = &cli->arguments;
    struct network network;
    if (arguments->chain_id == NULL || arguments->contract == NULL) {
        return complain(cli, USAGE_ERROR, "usage",
            "--chain-id and --contract go together; both name a network");
    }
    if (!number_option(
            cli, "--chain-id", arguments->chain_id, 1, INT64_MAX, 0, &network.chain_id)) {
        return USAGE_ERROR;
    }
    enum status status = eip55_parse(span_of_text(arguments->contract), &network.contract);
    if (status != OK) {
        return complain(cli, USAGE_ERROR, "usage", "--contract %s: %s", arguments->contract,
            status == ERR_MISMATCH
                ? "its checksum (upper and lower case) is wrong; was it mistyped?"
                : "expected an address, 0x and 40 hex digits");
    }
    *ret = network;
    return DONE;
}

int chosen_network(struct cli *cli, const struct state *state, struct manifest *ret)
{
    struct network named = {.chain_id = 0};
    bool is_named = cli->arguments.chain_id != NULL || cli->arguments.contract != NULL;
    bool none = state == NULL;
    int result = is_named ? network_option(cli, &named) : DONE;
    if (result == DONE && state != NULL) {
        result = pinned_manifest(cli, state, ret, is_named ? &none : NULL);
    } else if (result == DONE && !is_named) {
        result = complain(cli, FAILED, "no_network",
            "which network? Name it with --chain-id and --contract, or run `deedmesh join "
            "HOST:PORT/FINGERPRINT` first");
    }
    if (result != DONE || !is_named) {
        return result;
    }
    if (none) {
        *ret =
            (struct manifest){.network = named, .delegation_window_days = MANIFEST_WINDOW_MAX_DAYS};
    } else if (named.chain_id != ret->network.chain_id ||
               !eth_address_equal(&named.contract, &ret->network.contract)) {
        return complain(cli, FAILED, "other_network",
            "%s belongs to another contract or chain; see `deedmesh status`, or use another "
            "instance (-i)",
            cli->instance);
    }
    return DONE;
}

static void fingerprint_of(const struct manifest *manifest, char ret[static FINGERPRINT_TEXT_SIZE])
{
    struct dht_key key = key_of_manifest(&manifest->authority);
    fingerprint_format(&key, ret);
}

void manifest_say(const struct manifest *manifest)
{
    char contract[ETH_ADDRESS_TEXT_SIZE];
    char prefix[ADDRESS_TEXT_SIZE];
    char fingerprint[FINGERPRINT_TEXT_SIZE];
    eip55_format(&manifest->network.contract, contract);
    prefix_format(&manifest->ipv4, prefix);
    fingerprint_of(manifest, fingerprint);
    say("chain          %" PRIu64, manifest->network.chain_id);
    say("contract       %s (%s)", contract, contract_profile_name(manifest->profile));
    say("overlay        %s", prefix);
    say("fingerprint    %s", fingerprint);
    say("manifest       version %u; chain read every %u s, grace %u s, delegations up to %u days",
        (unsigned)manifest->version, (unsigned)manifest->poll_s, (unsigned)manifest->grace_s,
        (unsigned)manifest->delegation_window_days);
    for (size_t i = 0; i < manifest->rpc_count; i++) {
        say("%s %s", i == 0 ? "suggested RPC " : "              ", manifest->rpc[i].text);
    }
    if (manifest->rpc_count == 0) {
        say("suggested RPC  none: name your own in [chain] of the configuration");
    }
}

json_t *manifest_json(const struct manifest *manifest)
{
    char contract[ETH_ADDRESS_TEXT_SIZE];
    char prefix[ADDRESS_TEXT_SIZE];
    char fingerprint[FINGERPRINT_TEXT_SIZE];
    char chain[24];
    json_t *rpcs = json_array();
    eip55_format(&manifest->network.contract, contract);
    prefix_format(&manifest->ipv4, prefix);
    fingerprint_of(manifest, fingerprint);
    (void)snprintf(chain, sizeof chain, "%" PRIu64, manifest->network.chain_id);
    for (size_t i = 0; i < manifest->rpc_count; i++) {
        (void)json_array_append_new(rpcs, json_string(manifest->rpc[i].text));
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:o}", "chain_id", chain,
        "contract", contract, "profile", contract_profile_name(manifest->profile), "prefix", prefix,
        "fingerprint", fingerprint, "version", (int)manifest->version, "poll_s",
        (int)manifest->poll_s, "grace_s", (int)manifest->grace_s, "window_days",
        (int)manifest->delegation_window_days, "rpc", rpcs);
}

int check_manifest(struct cli *cli, const struct manifest *manifest, bool allow_http)
{
    const struct chain_url_rules rules = {.suggested = true, .allow_http = allow_http};
    enum manifest_problem problem = manifest_check(manifest, true);
    if (problem != MANIFEST_FINE) {
        return complain(
            cli, FAILED, "manifest", "the manifest is refused: %s", manifest_problem_text(problem));
    }
    for (size_t i = 0; i < manifest->rpc_count; i++) {
        struct chain_url url;
        const struct rpc_url *rpc = &manifest->rpc[i];
        enum chain_url_fault fault = chain_url_check(span_of(rpc->text, rpc->size), &rules, &url);
        if (fault != CHAIN_URL_GOOD) {
            return complain(cli, FAILED, "manifest",
                "the manifest is refused: it suggests the RPC provider %s: %s%s", rpc->text,
                chain_url_fault_text(fault),
                fault == CHAIN_URL_PLAIN_HTTP ? " (--allow-http)" : "");
        }
    }
    return DONE;
}

int check_delegations(struct cli *cli, const struct state *state, const struct manifest *manifest)
{
    struct token_id tokens[STATE_DELEGATIONS_MAX];
    size_t count = 0;
    struct state_error error;
    enum status status = state_delegation_tokens(state, tokens, &count, &error);
    for (size_t i = 0; i < count && status == OK; i++) {
        struct state_delegation delegation;
        status = state_delegation_read(state, &tokens[i], &delegation, &error);
        const struct network *network = &delegation.network;
        if (status == OK &&
            (network->chain_id != manifest->network.chain_id ||
                !eth_address_equal(&network->contract, &manifest->network.contract))) {
            char text[TOKEN_TEXT_SIZE];
            token_id_format(&tokens[i], text);
            return complain(cli, FAILED, "other_network",
                "the delegation for token %s was signed for another contract or chain than this "
                "manifest's; refused. If you mean to change networks, use another instance (-i), "
                "or move %s/delegation-%s away",
                text, state_path(state), text);
        }
    }
    return status == OK ? DONE : complain_state(cli, status, &error);
}

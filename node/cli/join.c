// SPDX-License-Identifier: GPL-3.0-or-later
//
// `deedmesh join`: a network's manifest fetched, shown, compared with what is pinned, and pinned.
#include "node/cli/config_file.h"
#include "node/cli/network.h"

#include <stdio.h>
#include <string.h>

struct fetched {
    struct bootstrap bootstrap;
    struct manifest manifest;
    uint8_t bytes[MANIFEST_MAX_SIZE];
    size_t size;
};

static int fetch(struct cli *cli, struct fetched *ret)
{
    const char *operand = cli->arguments.operands[0];
    uint64_t timeout_s = 0;
    enum status status = bootstrap_parse(span_of_text(operand), &ret->bootstrap);
    if (status != OK) {
        return complain(cli, USAGE_ERROR, "usage",
            "'%s': expected HOST:PORT or HOST:PORT/FINGERPRINT, as `deedmesh init` prints it "
            "(the fingerprint has 32 characters)",
            operand);
    }
    if (!number_option(cli, "--timeout", cli->arguments.timeout, 1, 600, 10, &timeout_s)) {
        return USAGE_ERROR;
    }
    const struct dht_key *fingerprint =
        ret->bootstrap.has_fingerprint ? &ret->bootstrap.fingerprint : NULL;
    int result = manifest_fetch(
        cli, &ret->bootstrap.endpoint, fingerprint, timeout_s * 1000, ret->bytes, &ret->size);
    if (result != DONE) {
        return result;
    }
    status = manifest_decode(span_of(ret->bytes, ret->size), &ret->manifest);
    ASSERT(status == OK); // manifest_fetch returns only what decodes
    return DONE;
}

// What the manifest asks for, against the local settings.
static int judge(struct cli *cli, const struct manifest *manifest, bool *ret_allow_http)
{
    struct config config;
    int result = config_file_read(cli, &config);
    if (result != DONE) {
        return result;
    }
    bool allow_http = config.allow_http || cli->arguments.allow_http;
    *ret_allow_http = allow_http;
    return check_manifest(cli, manifest, allow_http);
}

static const char *changed(enum manifest_update update)
{
    switch (update) {
    case MANIFEST_OTHER_AUTHORITY:
        return "another authority signed it";
    case MANIFEST_CHAIN_CHANGED:
        return "its chain is another one";
    case MANIFEST_CONTRACT_CHANGED:
        return "its contract is another one";
    case MANIFEST_PROFILE_CHANGED:
        return "its contract profile is another one";
    case MANIFEST_PREFIX_CHANGED:
        return "its IPv4 prefix is another one";
    case MANIFEST_CONFLICTING:
        return "it has the pinned version's number and another content";
    case MANIFEST_SAME:
    case MANIFEST_NEWER:
    case MANIFEST_OLDER:
        break;
    }
    return "it differs";
}

// Whether the fetched manifest is to be written. DONE and *ret_write, or an exit code.
static int compare(
    struct cli *cli, const struct state *state, const struct manifest *manifest, bool *ret_write)
{
    struct manifest pinned;
    bool none = false;
    int result = pinned_manifest(cli, state, &pinned, &none);
    if (result != DONE) {
        return result;
    }
    if (none) {
        *ret_write = true;
        return DONE;
    }
    enum manifest_update update = manifest_check_update(&pinned, manifest);
    *ret_write = update == MANIFEST_NEWER;
    if (update == MANIFEST_SAME || update == MANIFEST_NEWER || update == MANIFEST_OLDER) {
        return DONE;
    }
    return complain(cli, FAILED, "other_network",
        "%s has pinned another manifest: %s. If you mean to join another network, use another "
        "instance: deedmesh -i NAME join ...",
        cli->instance, changed(update));
}

static int agree(struct cli *cli, const struct fetched *fetched)
{
    if (!cli->arguments.json) {
        manifest_say(&fetched->manifest);
        say(fetched->bootstrap.has_fingerprint
                ? "               (the fingerprint is the one that you gave)\n"
                : "               (NOT CHECKED: compare it with what the network's founder "
                  "says)\n");
    }
    if (cli->arguments.yes || confirm("Join this network?")) {
        return DONE;
    }
    return complain(cli, FAILED, "declined",
        "nothing was pinned; answer y, or give --yes where there is no terminal");
}

static int pin(
    struct cli *cli, const struct state *state, const struct fetched *fetched, bool allow_http)
{
    struct state_error error;
    char endpoint[ENDPOINT_NAME_TEXT_SIZE];
    char fingerprint[FINGERPRINT_TEXT_SIZE];
    char line[ENDPOINT_NAME_TEXT_SIZE + FINGERPRINT_TEXT_SIZE + 1];
    enum status status = state_write(state, STATE_MANIFEST, STATE_MANIFEST_VERSION,
        span_of(fetched->bytes, fetched->size), &error);
    if (status != OK) {
        return complain_state(cli, status, &error);
    }
    // From here on the authority is pinned: the file says it even if the user did not.
    struct dht_key key = key_of_manifest(&fetched->manifest.authority);
    endpoint_name_format(&fetched->bootstrap.endpoint, endpoint);
    fingerprint_format(&key, fingerprint);
    (void)snprintf(line, sizeof line, "%s/%s", endpoint, fingerprint);
    struct first_config first = {.bootstrap = line, .allow_http = allow_http};
    return config_file_offer(cli, &first);
}

static void print_joined(const struct cli *cli, const struct fetched *fetched, bool written)
{
    if (cli->arguments.json) {
        json_t *object = manifest_json(&fetched->manifest);
        (void)json_object_set_new(object, "pinned", json_boolean(written));
        (void)json_object_set_new(
            object, "checked", json_boolean(fetched->bootstrap.has_fingerprint));
        print_json(object);
    } else if (written) {
        say("Pinned. Go on with: deedmesh keygen, deedmesh authorize TOKEN, deedmesh up");
    } else {
        say("%s belongs to this network already; nothing was changed.", cli->instance);
    }
}

int verb_join(struct cli *cli)
{
    struct fetched fetched;
    bool allow_http = false;
    bool write = false;
    int result = fetch(cli, &fetched);
    if (result == DONE) {
        result = judge(cli, &fetched.manifest, &allow_http);
    }
    if (result != DONE) {
        return result;
    }
    struct state *state = open_state(cli, STATE_CREATE, &result);
    if (state == NULL) {
        return result;
    }
    result = compare(cli, state, &fetched.manifest, &write);
    if (result == DONE) {
        result = check_delegations(cli, state, &fetched.manifest);
    }
    if (result == DONE && write) {
        result = agree(cli, &fetched);
        if (result == DONE) {
            result = pin(cli, state, &fetched, allow_http);
        }
    }
    if (result == DONE) {
        print_joined(cli, &fetched, write);
    }
    state_close(state);
    return result;
}

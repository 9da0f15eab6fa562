// SPDX-License-Identifier: GPL-3.0-or-later
//
// Signing with a wallet's key, from wherever the command line says that it is.
#include "node/cli/signer.h"

#include "base/text.h"
#include "chain/eip55.h"
#include "chain/keystore.h"
#include "node/cli/agent.h"
#include "node/cli/secret_file.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    AGENT_TIMEOUT_DEFAULT_S = 300, // somebody may have to find a hardware wallet and press a button
    AGENT_TIMEOUT_MAX_S = 3600,
    V_BASE = 27,
    PROMPT_SIZE = 512,
};

struct signer {
    struct eth_address address;
    struct eth_secret secret; // zero with an agent
    const char *agent;        // its command, or NULL
    uint64_t agent_timeout_ms;
};

bool signer_is_named(const struct cli *cli)
{
    const struct arguments *arguments = &cli->arguments;
    return arguments->key_file != NULL || arguments->keystore != NULL || arguments->agent != NULL;
}

static int open_key_file(struct cli *cli, struct signer *signer)
{
    char text[KEYSTORE_FILE_MAX + 1];
    size_t size = 0;
    const char *path = cli->arguments.key_file;
    int result = secret_file_read(cli, path, text, sizeof text, &size);
    if (result == DONE &&
        (hex_parse(span_of(text, size), signer->secret.bytes, sizeof signer->secret.bytes) != OK ||
            ecdsa_address(&signer->secret, &signer->address) != OK)) {
        result = complain(cli, FAILED, "malformed",
            text[0] == '{' ? "%s: this is an encrypted keystore: --keystore"
                           : "%s: expected a private key, 64 hex digits",
            path);
    }
    sodium_memzero(text, sizeof text);
    return result;
}

static int complain_keystore(struct cli *cli, enum status status)
{
    static const struct {
        enum status status;
        const char *code;
        const char *text;
    } problems[] = {
        {ERR_SEAL, "password", "the password is wrong, or the file damaged"},
        {ERR_VERSION, "malformed", "expected a keystore of version 3"},
        {ERR_UNSUPPORTED, "malformed",
            "its cipher or key derivation is not known here; expected aes-128-ctr, with scrypt or "
            "pbkdf2 (hmac-sha256)"},
        {ERR_RANGE, "malformed", "a parameter of its key derivation makes no sense"},
        {ERR_MISMATCH, "malformed", "it holds the key of another address than it states"},
        {ERR_IO, "memory", "there is not enough memory to open it"},
    };
    const char *path = cli->arguments.keystore;
    if (status == ERR_TOO_LARGE) {
        return complain(cli, FAILED, "malformed",
            "%s: opening it would take more memory or time than is allowed here: scrypt %d MiB and "
            "n*r*p %d, pbkdf2 %d rounds; export the key again with usual parameters",
            path, KEYSTORE_MEMORY_MAX_MIB, KEYSTORE_SCRYPT_WORK_MAX, KEYSTORE_PBKDF2_ROUNDS_MAX);
    }
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
        if (problems[i].status == status) {
            return complain(cli, FAILED, problems[i].code, "%s: %s", path, problems[i].text);
        }
    }
    return complain(
        cli, FAILED, "malformed", "%s: expected a keystore file (Web3 Secret Storage, JSON)", path);
}

static int ask_password(
    struct cli *cli, const struct keystore *keystore, char ret[static PASSWORD_MAX])
{
    char prompt[PROMPT_SIZE];
    char address[ETH_ADDRESS_TEXT_SIZE] = "";
    if (keystore->has_address) {
        eip55_format(&keystore->address, address);
    }
    (void)snprintf(prompt, sizeof prompt,
        "Password for %s: ", keystore->has_address ? address : cli->arguments.keystore);
    return password_read(cli, cli->arguments.password_fd, prompt, ret);
}

static int open_keystore(struct cli *cli, struct signer *signer)
{
    char text[KEYSTORE_FILE_MAX + 1];
    char password[PASSWORD_MAX];
    size_t size = 0;
    struct keystore keystore;
    int result = secret_file_read(cli, cli->arguments.keystore, text, sizeof text, &size);
    if (result != DONE) {
        return result;
    }
    enum status status = keystore_parse(span_of(text, size), &keystore);
    if (status != OK) {
        return complain_keystore(cli, status);
    }
    result = ask_password(cli, &keystore, password);
    if (result == DONE) {
        status = keystore_open(&keystore, span_of_text(password), &signer->secret);
        if (status == OK) {
            status = ecdsa_address(&signer->secret, &signer->address);
        }
        result = status == OK ? DONE : complain_keystore(cli, status);
    }
    sodium_memzero(password, sizeof password);
    return result;
}

static int open_agent(struct cli *cli, struct signer *signer)
{
    uint64_t timeout_s = 0;
    json_t *answer = NULL;
    if (!number_option(cli, "--agent-timeout", cli->arguments.agent_timeout, 1, AGENT_TIMEOUT_MAX_S,
            AGENT_TIMEOUT_DEFAULT_S, &timeout_s)) {
        return USAGE_ERROR;
    }
    signer->agent = cli->arguments.agent;
    signer->agent_timeout_ms = timeout_s * 1000;
    int result =
        agent_ask(cli, signer->agent, json_pack("{s:i, s:s}", "version", 1, "method", "address"),
            signer->agent_timeout_ms, &answer);
    if (result != DONE) {
        return result;
    }
    const json_t *address = json_object_get(answer, "address");
    if (eip55_parse(span_of(json_string_value(address), json_string_length(address)),
            &signer->address) != OK) {
        result = complain(cli, FAILED, "agent",
            "the agent %s: its answer to \"address\" names no address (0x and 40 hex digits)",
            signer->agent);
    }
    json_decref(answer);
    return result;
}

int signer_open(struct cli *cli, struct signer **ret)
{
    const struct arguments *arguments = &cli->arguments;
    int named =
        (arguments->key_file != NULL) + (arguments->keystore != NULL) + (arguments->agent != NULL);
    if (named != 1) {
        return complain(cli, USAGE_ERROR, "usage",
            named == 0
                ? "whose key signs? Name it with --key-file FILE, --keystore FILE or --agent "
                  "COMMAND"
                : "--key-file, --keystore and --agent exclude each other");
    }
    if (arguments->password_fd != NULL && arguments->keystore == NULL) {
        return complain(cli, USAGE_ERROR, "usage", "--password-fd goes with --keystore");
    }
    struct signer *signer = calloc(1, sizeof *signer);
    ASSERT(signer != NULL);
    int result = arguments->key_file != NULL   ? open_key_file(cli, signer)
                 : arguments->keystore != NULL ? open_keystore(cli, signer)
                                               : open_agent(cli, signer);
    if (result != DONE) {
        signer_close(signer);
        return result;
    }
    *ret = signer;
    return DONE;
}

void signer_close(struct signer *signer)
{
    if (signer != NULL) {
        sodium_memzero(signer, sizeof *signer);
        free(signer);
    }
}

struct eth_address signer_address(const struct signer *signer)
{
    return signer->address;
}

// --- signing ---

static json_t *question_of(const struct signer *signer, const struct signer_request *request)
{
    char digest[2 * sizeof request->digest.bytes + 1];
    char digest_0x[sizeof digest + 2];
    char address[ETH_ADDRESS_TEXT_SIZE];
    const char *method = "sign_typed_data";
    const char *shown = "typed_data";
    switch (request->method) {
    case SIGN_TYPED_DATA:
        break;
    case SIGN_TEXT:
        method = "sign_text";
        shown = "text";
        break;
    case SIGN_TRANSACTION:
        method = "sign_transaction";
        shown = "transaction";
        break;
    }
    hex_format(span_of(request->digest.bytes, sizeof request->digest.bytes), digest);
    (void)snprintf(digest_0x, sizeof digest_0x, "0x%s", digest);
    eip55_format(&signer->address, address);
    return json_pack("{s:i, s:s, s:s, s:s, s:O}", "version", 1, "method", method, "address",
        address, "digest", digest_0x, shown, request->shown);
}

static int sign_with_agent(struct cli *cli, const struct signer *signer,
    const struct signer_request *request, uint8_t ret[static ECDSA_SIGNATURE_SIZE])
{
    json_t *answer = NULL;
    int result = agent_ask(
        cli, signer->agent, question_of(signer, request), signer->agent_timeout_ms, &answer);
    if (result != DONE) {
        return result;
    }
    const json_t *signature = json_object_get(answer, "signature");
    if (hex_parse(span_of(json_string_value(signature), json_string_length(signature)), ret,
            ECDSA_SIGNATURE_SIZE) != OK) {
        result = complain(cli, FAILED, "agent",
            "the agent %s: its answer holds no signature (65 bytes, 0x and 130 hex digits)",
            signer->agent);
    }
    json_decref(answer);
    return result;
}

// Whoever signed, what leaves here is the address's own, in one form.
static int verify(struct cli *cli, const struct signer *signer, const struct hash256 *digest,
    uint8_t signature[static ECDSA_SIGNATURE_SIZE])
{
    struct eth_address by;
    char wants[ETH_ADDRESS_TEXT_SIZE];
    char has[ETH_ADDRESS_TEXT_SIZE];
    enum status status = ecdsa_recover(digest, span_of(signature, ECDSA_SIGNATURE_SIZE), &by);
    if (status != OK) {
        return complain(
            cli, FAILED, "agent", "the signature cannot be used: %s", status_text(status));
    }
    if (!eth_address_equal(&by, &signer->address)) {
        eip55_format(&signer->address, wants);
        eip55_format(&by, has);
        return complain(cli, FAILED, "wrong_signer",
            "the signature is not %s's over what was asked for (it recovers to %s); nothing was "
            "done with it",
            wants, has);
    }
    uint8_t *v = &signature[ECDSA_SIGNATURE_SIZE - 1];
    *v = *v < V_BASE ? (uint8_t)(*v + V_BASE) : *v;
    return DONE;
}

int signer_sign(struct cli *cli, struct signer *signer, const struct signer_request *request,
    uint8_t ret[static ECDSA_SIGNATURE_SIZE])
{
    uint8_t signature[ECDSA_SIGNATURE_SIZE] = {0};
    int result = DONE;
    if (signer->agent != NULL) {
        result = sign_with_agent(cli, signer, request, signature);
    } else {
        // The key was good when it was opened.
        enum status status = ecdsa_sign(&request->digest, &signer->secret, signature);
        ASSERT(status == OK);
    }
    if (result == DONE) {
        result = verify(cli, signer, &request->digest, signature);
    }
    if (result == DONE) {
        memcpy(ret, signature, sizeof signature);
    }
    return result;
}

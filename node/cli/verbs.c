// SPDX-License-Identifier: GPL-3.0-or-later
//
// The table of verbs. Help and completion are made from it; deedmesh(1) says the same at length.
#include "node/cli/cli.h"

#define FLAG(name, letter, field, help)                                                            \
    {                                                                                              \
        name, letter, OPTION_FLAG, offsetof(struct arguments, field), NULL, help                   \
    }
#define TEXT(name, letter, field, value, help)                                                     \
    {                                                                                              \
        name, letter, OPTION_TEXT, offsetof(struct arguments, field), value, help                  \
    }
#define REPEAT(name, letter, field, value, help)                                                   \
    {                                                                                              \
        name, letter, OPTION_REPEAT, offsetof(struct arguments, field), value, help                \
    }

// Whose key signs; see node/cli/signer.h.
#define SIGNER_OPTIONS                                                                             \
    TEXT("key-file", 0, key_file, "FILE", "sign with this private key (hex, mode 0600)"),          \
        TEXT("keystore", 0, keystore, "FILE", "sign with this encrypted key (JSON, mode 0600)"),   \
        TEXT("password-fd", 0, password_fd, "N", "read its password from this file descriptor"),   \
        TEXT("agent", 0, agent, "COMMAND", "have this program sign; see deedmesh(1), SIGNING"),    \
        TEXT("agent-timeout", 0, agent_timeout, "S", "how long it may take (300)")

// Of verbs that read the chain.
#define CHAIN_OPTIONS                                                                              \
    REPEAT("rpc", 0, rpcs, "URL", "RPC provider, instead of the configured; up to 3 times"),       \
        FLAG("allow-http", 0, allow_http, "let providers be plain http"),                          \
        TEXT("chain-id", 0, chain_id, "N", "the network, where none is pinned:"),                  \
        TEXT("contract", 0, contract, "0x...", "its chain and its contract"),                      \
        TEXT("bootstrap", 0, bootstrap, "HOST:PORT", "whom to ask into the DHT")
// How a transaction is sent; see node/cli/transact.h. They go with SIGNER_OPTIONS.
#define TRANSACT_OPTIONS                                                                           \
    REPEAT("rpc", 0, rpcs, "URL", "ask this RPC provider; up to 3 times"),                         \
        FLAG("allow-http", 0, allow_http, "let providers be plain http"),                          \
        FLAG("yes", 'y', yes, "send without asking"),                                              \
        FLAG("dry-run", 0, dry_run, "show what would be sent, and send nothing"),                  \
        TEXT("max-fee", 0, max_fee, "GWEI", "pay at most this a gas"),                             \
        TEXT("confirmations", 0, confirmations, "N", "wait until N blocks hold it (1)"),           \
        TEXT("timeout", 0, timeout, "S", "how long to wait for that (300)"),                       \
        FLAG("replace", 0, replace, "send what is under way again, with higher fees")
// How a token's owner comes to sign; see node/cli/authorize.h.
#define OWNER_OPTIONS                                                                              \
    TEXT("owner", 0, owner, "0x...", "who owns the token and will sign"), SIGNER_OPTIONS,          \
        TEXT("signature", 0, signature, "HEX", "the signature of the data printed before"),        \
        FLAG("print", 0, print, "print what is to be signed and ask for nothing"),                 \
        FLAG("text", 0, text, "for wallets without typed data: sign text (personal_sign)"),        \
        FLAG("qr", 0, qr, "show it as a QR code, too"),                                            \
        TEXT("qr-file", 0, qr_file, "FILE", "write the QR code there (.png or .svg)"),             \
        FLAG("browser", 0, browser, "serve a page that asks the wallet in a browser"),             \
        TEXT("port", 0, port, "N", "the page's port on 127.0.0.1 (any)"),                          \
        TEXT("timeout", 0, timeout, "S", "how long to wait (300)"),                                \
        REPEAT("rpc", 0, rpcs, "URL", "ask this RPC provider; up to 3 times"),                     \
        FLAG("allow-http", 0, allow_http, "let providers be plain http"),                          \
        FLAG("offline", 0, offline, "do not ask the chain who owns the token"),                    \
        FLAG("contract-wallet", 0, contract_wallet,                                                \
            "keep a contract wallet's signature unchecked, if nobody can be asked")

const struct cli_option common_options[] = {
    TEXT("instance", 'i', instance, "NAME", "which instance, and interface (deed0)"),
    FLAG("json", 0, json, "print JSON, one object a line"),
    TEXT("config-dir", 0, config_dir, "DIR", "configuration (/etc/deedmesh)"),
    TEXT("state-dir", 0, state_dir, "DIR", "keys and state (/var/lib/deedmesh)"),
    TEXT("run-dir", 0, run_dir, "DIR", "control socket (/run/deedmesh)"),
    FLAG("help", 'h', help, "print this"),
    {0},
};

static const char init_details[] =
    "A network is an ERC-721 contract on a chain. This makes the authority key that signs the\n"
    "network's manifest, signs it, and prints HOST:PORT/FINGERPRINT, all that others need to "
    "join.\n"
    "The authority key decides nothing but the manifest: who is in is decided by the contract.";

static const char join_details[] =
    "Fetches the network's manifest from the DHT port of a member, shows it and, when you agree,\n"
    "pins it. With the fingerprint it is checked before use; without, you trust what HOST says.";

static const char authorize_details[] =
    "The owner of TOKEN states that this node may sit in its seat: no gas, no transaction. Where "
    "an\n"
    "RPC provider is known, the chain is asked who that is. With --browser a wallet in a browser\n"
    "signs; with --key-file, --keystore or --agent a key does. Otherwise this prints\n"
    "EIP-712 typed data to sign in the owner's wallet (eth_signTypedData_v4) and reads the\n"
    "signature from standard input; or give it later with --signature.";

static const char rotate_details[] =
    "A new node key needs a new delegation: its owner signs as for `authorize`. No tunnel "
    "notices.\n"
    "With --wg the WireGuard key is replaced, which costs the tunnels a moment; where the "
    "contract\n"
    "stores the key, a transaction by the token's owner (--key-file, --keystore, --agent) puts "
    "the\n"
    "new one there. A daemon that runs takes the keys live. A run that was cut short is gone on\n"
    "with by the next one. Where several seats are authorized, TOKEN names one.";

static const char retire_details[] =
    "The owner states that whatever node sits in TOKEN's seat is out, for good: whoever has its\n"
    "keys, no member talks to it any more. The owner signs as for `authorize`. It is spread by "
    "the\n"
    "daemon of this machine, or without one put into the DHT. No gas, no transaction. To take the\n"
    "seat again: `deedmesh rotate` or `deedmesh authorize` on the node.";

static const char up_details[] =
    "Starts the daemon in the background and returns when it is ready. On a terminal the\n"
    "stages on the way to the mesh are shown for some seconds more.";

static const char ping_details[] =
    "PEER is a token or an overlay address. Exit status: 0 the last answer came directly,\n"
    "1 it came through a relay, 2 there was none.";

static const char info_details[] =
    "NODE is a node id in the contract, a node key (64 hex digits) or a WireGuard key (base64).\n"
    "Needs no daemon and no keys.";

static const char verify_details[] =
    "Asks the RPC providers and the DHT itself, without the daemon, and shows every check as a\n"
    "row: passed, failed or unknown, with its reason, and what each provider said. With ADDRESS\n"
    "all seats of that owner are tried; with NODE (node id, node key or WireGuard key) it must be\n"
    "that node. Exit status: 0 admitted, 1 refused, 2 unknown.";

static const char list_details[] =
    "Reads all tokens of the contract from the RPC providers (k of n must agree) and, where a\n"
    "member can be reached, the owners' records from the DHT. Needs no daemon and no keys. Tokens\n"
    "are found by ERC721Enumerable, else by Transfer logs, else by asking one id after the other.";
static const char deploy_details[] =
    "Creates the contract whose tokens are the seats of a network, and prints its address. The\n"
    "account that signs owns it: it mints and revokes. Needs no other tool.";

static const char register_details[] =
    "Mints a token: a seat with a node id and the WireGuard key of the node that is to sit in it.\n"
    "Only the contract's owner can. Prints the token's id.";

static const char transfer_details[] =
    "Hands the token over (safeTransferFrom). The node in its seat is put out at once, and the\n"
    "key on chain is cleared: the new owner authorises a node of his own.";

const struct verb verbs[] = {
    {"init", "", 0, 0, "start a network: make its authority key and signed manifest", init_details,
        {
            TEXT("chain-id", 0, chain_id, "N", "the EVM chain (required)"),
            TEXT("contract", 0, contract, "0x...", "the ERC-721 contract (required)"),
            TEXT("profile", 0, profile, "NAME", "detect, erc721 or dstack-access (detect)"),
            TEXT("prefix", 0, prefix, "CIDR", "private IPv4 range of the overlay (10.213.0.0/16)"),
            REPEAT("rpc", 0, rpcs, "URL", "RPC provider to suggest to newcomers; up to 3 times"),
            FLAG("allow-http", 0, allow_http, "let providers be plain http"),
            TEXT("poll", 0, poll, "S", "how often the chain is read: 2 to 30 s (5)"),
            TEXT("grace", 0, grace, "S", "how long members stay when no RPC answers (600)"),
            TEXT("window", 0, window, "DAYS", "the longest delegation: 1 to 366 days (366)"),
            TEXT("listen", 0, listen, "HOST[:PORT]", "where others reach this node's DHT port"),
            {0},
        },
        verb_init},
    {"contract deploy", "", 0, 0, "create a contract of seats", deploy_details,
        {
            TEXT("chain-id", 0, chain_id, "N", "the EVM chain (required)"),
            SIGNER_OPTIONS,
            TRANSACT_OPTIONS,
            {0},
        },
        verb_contract_deploy},
    {"keygen", "", 0, 0, "make this node's keys", NULL,
        {
            TEXT("wg-key-file", 0, wg_key_file, "FILE", "take this WireGuard private key"),
            {0},
        },
        verb_keygen},
    {"join", "HOST:PORT[/FINGERPRINT]", 1, 1, "fetch, show and pin a network's manifest",
        join_details,
        {
            FLAG("yes", 'y', yes, "do not ask"),
            FLAG("allow-http", 0, allow_http, "let providers be plain http"),
            TEXT("timeout", 0, timeout, "S", "how long to try (10)"),
            {0},
        },
        verb_join},
    {"register", "", 0, 0, "mint a seat", register_details,
        {
            TEXT("node-id", 0, node_id, "NAME", "the node's name on chain (required)"),
            TEXT("to", 0, to, "0x...", "who will own the token (the account that signs)"),
            TEXT("wg-key", 0, wg_key, "BASE64", "the node's WireGuard key, or none (this node's)"),
            TEXT("token-uri", 0, token_uri, "URI", "the token's metadata"),
            TEXT("chain-id", 0, chain_id, "N", "the network, where none is pinned:"),
            TEXT("contract", 0, contract, "0x...", "its chain and its contract"),
            SIGNER_OPTIONS,
            TRANSACT_OPTIONS,
            {0},
        },
        verb_register},
    {"authorize", "TOKEN", 1, 1, "have the token's owner put this node in its seat",
        authorize_details,
        {
            FLAG("renew", 0, renew, "the same again from now on: owner and length as they are"),
            OWNER_OPTIONS,
            TEXT("days", 0, days, "N", "how long it holds (90)"),
            TEXT("chain-id", 0, chain_id, "N", "the network, before join has pinned it:"),
            TEXT("contract", 0, contract, "0x...", "its chain and its contract"),
            {0},
        },
        verb_authorize},
    {"rotate", "[TOKEN]", 0, 1, "replace the node's keys, live", rotate_details,
        {
            FLAG("node", 0, node, "a new node key (the default, unless --wg stands alone)"),
            FLAG("wg", 0, wg, "a new WireGuard key"),
            TEXT("wg-key-file", 0, wg_key_file, "FILE", "take this WireGuard private key"),
            FLAG("abandon", 0, abandon, "give up the new key of a run that was cut short"),
            OWNER_OPTIONS,
            TEXT("days", 0, days, "N", "how long the delegation holds (as the present one)"),
            FLAG("yes", 'y', yes, "send the transaction without asking"),
            FLAG("dry-run", 0, dry_run, "show what would be sent, and send nothing"),
            TEXT("max-fee", 0, max_fee, "GWEI", "pay at most this a gas"),
            TEXT("confirmations", 0, confirmations, "N", "wait until N blocks hold it (1)"),
            FLAG("replace", 0, replace, "send what is under way again, with higher fees"),
            {0},
        },
        verb_rotate},
    {"retire", "TOKEN", 1, 1, "put the node in a seat out: its key was lost or stolen",
        retire_details,
        {
            OWNER_OPTIONS,
            TEXT("days", 0, days, "N", "how long it holds (as long as the network allows)"),
            TEXT("bootstrap", 0, bootstrap, "HOST:PORT", "put it through this member's DHT port"),
            TEXT("chain-id", 0, chain_id, "N", "the network, where none is pinned:"),
            TEXT("contract", 0, contract, "0x...", "its chain and its contract"),
            {0},
        },
        verb_retire},
    {"up", "", 0, 0, "start the node", up_details,
        {
            FLAG("foreground", 'f', foreground, "stay; log to standard error"),
            TEXT("token", 0, token, "TOKEN", "which seat, where several are authorized"),
            TEXT("log-format", 0, log_format, "FORMAT", "text or json"),
            TEXT("timeout", 0, timeout, "S", "how long to wait for readiness (60)"),
            {0},
        },
        verb_up},
    {"down", "", 0, 0, "stop the node and remove its interface", NULL, {{0}}, verb_down},
    {"status", "", 0, 0, "show this node, its network and its peers", NULL, {{0}}, verb_status},
    {"peers", "", 0, 0, "one line a peer: its path, since when, and why not better", NULL, {{0}},
        verb_peers},
    {"ping", "PEER", 1, 1, "reach a member over the overlay", ping_details,
        {
            TEXT("count", 'c', count, "N", "how many (4)"),
            FLAG("until-direct", 0, until_direct, "stop at the first direct answer"),
            TEXT("timeout", 0, timeout, "S", "how long to wait for each answer (2)"),
            {0},
        },
        verb_ping},
    {"resolve", "TOKEN", 1, 1, "look a member's record up and judge it", NULL,
        {
            TEXT("timeout", 0, timeout, "S", "how long to look (15)"),
            {0},
        },
        verb_resolve},
    {"info", "TOKEN|NODE", 1, 1, "show all that contract and DHT say of a seat", info_details,
        {
            CHAIN_OPTIONS,
            {0},
        },
        verb_info},
    {"verify", "TOKEN|ADDRESS [NODE]", 1, 2, "check a node's claim to a seat, row by row",
        verify_details,
        {
            CHAIN_OPTIONS,
            {0},
        },
        verb_verify},
    {"list", "", 0, 0, "list all seats of the contract: owner, node id, key, who sits there",
        list_details,
        {
            FLAG("csv", 0, csv, "print comma-separated values (RFC 4180)"),
            FLAG("no-records", 0, no_records, "do not look into the DHT"),
            TEXT("resume", 0, resume, "FILE", "keep the progress there, and go on from it"),
            TEXT("max", 0, most, "N", "at most so many tokens (100000)"),
            CHAIN_OPTIONS,
            {0},
        },
        verb_list},
    {"wait", "", 0, 0, "wait until the node is ready, or a peer connected", NULL,
        {
            TEXT("for", 0, goal, "WHAT", "ready or connected (ready; connected with --peer)"),
            TEXT("peer", 0, peer, "TOKEN", "which peer"),
            TEXT("timeout", 0, timeout, "S", "give up after (60)"),
            {0},
        },
        verb_wait},
    {"revoke", "TOKEN", 1, 1, "close a seat for good", NULL,
        {
            TEXT("chain-id", 0, chain_id, "N", "the network, where none is pinned:"),
            TEXT("contract", 0, contract, "0x...", "its chain and its contract"),
            SIGNER_OPTIONS,
            TRANSACT_OPTIONS,
            {0},
        },
        verb_revoke},
    {"transfer", "TOKEN ADDRESS", 2, 2, "hand a seat over to another owner", transfer_details,
        {
            TEXT("chain-id", 0, chain_id, "N", "the network, where none is pinned:"),
            TEXT("contract", 0, contract, "0x...", "its chain and its contract"),
            SIGNER_OPTIONS,
            TRANSACT_OPTIONS,
            {0},
        },
        verb_transfer},
    {"metrics", "", 0, 0, "print metrics in Prometheus' text format", NULL, {{0}}, verb_metrics},
    {"completion", "SHELL", 1, 1, "print a completion script: bash or zsh", NULL, {{0}},
        verb_completion},
    {"version", "", 0, 0, "print the version", NULL, {{0}}, verb_version},
    {0},
};

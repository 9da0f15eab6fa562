// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the files of node/ share: the node's parts and the functions that join them. Nobody outside
// this folder includes it.
//
//    node.c        inputs, deadlines, draining
//    seat.c        the own seat: verdict on oneself, publication, displacement
//    peer.c        the table of peers: claims, verdicts, the device
//    pieces.c      long signatures, in pieces
//    search.c      where a peer's record comes from: DHT, hints, cache
//    rendezvous.c  intents out and in, paths
//    rotation.c    a new WireGuard key of our own
//    tombstones.c  node keys that owners have retired
//    talk.c        messages inside the tunnels
//    members.c     tokens that exist
//    saved.c       what outlives the process
//    status.c      what a person asks for
#pragma once

#include "base/overlay.h"
#include "node/effects.h"
#include "node/node.h"
#include "node/status.h"

enum {
    SUBNETS_MAX = PATH_SUBNETS_MAX,
    LIMITER_PREFIXES = 64,
    REPLAY_MEMBERS = 64,
    REPLAY_STRANGERS = 16,
    KNOCKING_MAX = 4, // peers that are dealt with only because they sent an intent

    BOOTSTRAP_RETRY_MS = 5000,
    GET_TIMEOUT_MS = 12000,
    SEARCH_SOON_MS = 20, // where there was no room for it at once
    SEARCH_BACKOFF_MIN_MS = 1000,
    SEARCH_BACKOFF_MAX_MS = 30 * 60 * 1000,
    REREAD_MS = 2 * 60 * 1000,
    LISTENS_MAX = 32, // records listened for at a time, besides the inbox

    RECORD_LIFETIME_S = 20 * 60,
    REFRESH_MS = 8 * 60 * 1000, // +- 12 %: the DHT forgets after 10 min
    REPUBLISH_PAUSE_MS = 1000,  // mapping changes come in bursts
    PUT_TIMEOUT_MS = 15000,
    READ_BACK_FIRST_MS = 5000,
    READ_BACK_MS = 60000,
    SELF_VERDICT_WAIT_MS = 3000,

    INTENT_PENDING_MS = 15000, // an intent waits so long for its sender's verdict
    INTENT_INBOX_DELAY_MS = 400,
    INBOX_VALUES_PER_MINUTE = 50,
    INBOX_READ_MS = 15000,

    DEVICE_READ_MS = 5000,
    DEVICE_READ_SOON_MS = 100, // while a handshake is awaited
    TAKE_OVER_MIN_MS = 100,    // and two round trips: the passive side initiates after all
    TAKE_OVER_ROUND_TRIPS = 2,
    SAVE_DELAY_MS = 1000,

    // A packed tombstone takes at most 193 bytes, its seal 46 more.
    TOMBSTONE_MAX_SIZE = 256,
};

// The own seat.
//
//    state      entered when                               left for
//    WAITING    start; nothing usable to publish yet       PUTTING DISPLACED
//    PUTTING    a put is under way                         PUBLISHED WAITING DISPLACED
//    PUBLISHED  the put is done                            PUTTING WAITING DISPLACED
//    DISPLACED  a better claim to the seat was read back;  WAITING (a person decides: a delegation
//               or its owner has retired the node key      that outranks what displaced this one)
enum seat_state {
    SEAT_WAITING,
    SEAT_PUTTING,
    SEAT_PUBLISHED,
    SEAT_DISPLACED,
};

struct seat {
    enum seat_state state;
    struct verdict verdict;
    bool judged; // a verdict other than "not read yet" (or asked) was reached since the start
    struct record record;
    uint8_t value[RECORD_MAX_SIZE];
    uint16_t value_size;
    uint64_t sequence; // last one used
    uint64_t boot;
    uint64_t put_op;
    uint32_t nodes_at_put; // good DHT nodes that were known then
    uint64_t read_op;
    bool read_once; // a read-back has ended since the start: from then on a foreign boot displaces
    struct mono put_deadline;
    struct mono publish_at; // never = nothing due
    struct mono pieces_at;  // of the own signature, with the next record from then on
    struct mono read_at;
    struct mono judge_at;
    struct mono published_at;
    struct mono warn_at;
    uint32_t warned_s; // the reminder that was given last; 0 = none
    bool retired;      // displaced by a tombstone
    bool announce;     // the next record goes to all that are connected, too
};

// See rotation.c.
enum rotation_state {
    ROTATION_NONE,
    ROTATION_WAITING,
    ROTATION_SWITCHING,
};

struct rotation {
    enum rotation_state state;
    struct wg_secret secret; // of the new key; zero in NONE
    struct wg_key key;
    struct mono at;    // what is next
    struct mono until; // how long the contract is read often
    uint8_t hellos;    // still to be sent
};

// See tombstones.c.
struct tombstone {
    struct token_id token;
    uint64_t epoch_s;
    uint64_t not_after_s;
    struct mono put_at;
    uint64_t put_op;
    struct mono since;
    struct mono judge_at; // never, once it is proven
    bool own;             // a user of this node gave it
    bool accepted;        // the chain has once said yes to its signature
    bool proven;          // and since the start, that it is the present owner's
    uint32_t kept_at;     // its signature among node->stone_bytes
    uint16_t kept_size;   // 0 = none is kept
    uint16_t size;
    uint8_t value[TOMBSTONE_MAX_SIZE];
};

// A peer, from the token to the tunnel.
//
//    state      entered when                               left for
//    SEARCHING  the token is wanted, no claim with a yes   ADMITTED
//    ADMITTED   verdict yes (or grace); on the device      CONNECTED SEARCHING
//    CONNECTED  the tunnel answers                         ADMITTED SEARCHING
enum peer_state {
    PEER_SEARCHING,
    PEER_ADMITTED,
    PEER_CONNECTED,
};

// A record as it was found, its signature verified.
struct claim {
    bool held;
    struct record record;
    uint8_t value[RECORD_MAX_SIZE];
    uint16_t value_size;
    struct hash256 digest;
};

// A claim that waits: the bytes only, it is parsed again when it is judged.
struct doubt {
    bool held;
    uint16_t value_size;
    struct mono at; // since when
    uint8_t value[RECORD_MAX_SIZE];
    struct hash256 digest;
};

struct pending_intent {
    bool held;
    struct intent intent;
    enum intent_way way;
    struct address from;
    struct token_id via;
    struct mono until;
};

struct peer {
    bool used;
    bool knocking; // here because of an intent only
    bool wanted;   // named by the user or the configuration: kept in a large mesh
    struct token_id token;
    struct address overlay; // its IPv6 address
    enum peer_state state;
    struct mono since;
    struct verdict verdict; // the last one reached, on `claim` or `doubt`
    bool judged;
    struct mono judge_at;
    struct mono refused_reported_at;
    bool refused_reported;

    struct claim claim; // admitted
    struct doubt doubt; // the best one that the chain has not decided about

    // Search.
    uint64_t get_op;
    uint64_t listen_op;
    struct mono get_deadline;
    struct mono get_at;
    uint32_t get_backoff_ms;

    // Path.
    struct path path;
    bool path_ready;
    struct pending_intent pending;
    struct intent_nonce nonce; // of the intent that a reply repeats
    enum intent_way answer_way;
    struct address answer_to;
    struct token_id answer_via;
    struct mono inbox_at; // send the intent by the inbox too; never = not due
    bool nudge_due;       // send the intent again: there is a new way

    // Device.
    bool device_set_due;
    bool device_endpoint_due; // the set carries the endpoint: WireGuard roams by itself otherwise
    bool device_remove_due;
    struct wg_key device_remove_key;
    struct address endpoint;      // on the device; unset = none
    struct address validated;     // proven by a probe last, perhaps not on the device yet
    struct address last_endpoint; // where its tunnel last worked, also before a restart
    uint16_t keepalive_s;
    struct mono take_over_at;
    struct wg_peer_state device;
    bool device_known;
    struct mono heard_at; // last message inside the tunnel
    bool greeted;         // our hello went out in this session
    uint16_t told;        // so many of the tombstones, the first ones
    struct budget forwards;
    struct budget hints;
};

struct member {
    struct token_id token;
    bool on_chain; // otherwise a hint
};

struct inbox {
    uint64_t listen_op;
    uint64_t get_op;
    struct mono window_at; // start of the minute that is counted
    uint32_t window_count;
    struct mono read_at; // while not listening
    struct budget members;
    struct budget strangers;
    struct intent_replay replay_members;
    struct intent_replay replay_strangers;
    struct intent_seen seen_members[REPLAY_MEMBERS];
    struct intent_seen seen_strangers[REPLAY_STRANGERS];
};

struct node {
    struct node_config config;
    struct node_key own_key;
    struct wg_key own_wg_key;
    struct rng rng;
    struct gate *gate;
    struct mapping mapping;
    struct reflector reflector;
    struct probe_limiter limiter;
    struct limiter_entry limiter_entries[LIMITER_PREFIXES];
    struct effects effects;
    struct seat seat;
    struct pieces_table *pieces; // NULL if the node deals with no wallets
    struct inbox inbox;
    struct peer *peers;
    struct member *members;
    uint16_t member_count;
    struct tombstone *tombstones;
    uint16_t tombstone_count;
    uint8_t *stone_bytes; // the tombstones' long signatures; NULL if the node deals with no wallets
    uint32_t stone_bytes_used;
    struct rotation rotation;
    bool wg_key_due; // the device does not have the own key yet
    struct node_local_address local[NODE_LOCAL_ADDRESSES_MAX];
    uint8_t local_count;
    struct prefix subnets[SUBNETS_MAX];
    uint8_t subnet_count;

    bool started;
    uint32_t good_nodes;
    bool joined;
    bool server;
    struct mono bootstrap_at;
    struct mono device_at;
    struct mono save_at;
    uint64_t last_op;
    struct node_counters counters;
};

// A fresh operation id; never 0.
uint64_t node_op(struct node *node);
void node_save_soon(struct node *node, struct mono now);
void node_report(struct node *node, const struct node_report *report);
// Values can be put and read: in the routing table is somebody, or this is the first node, which
// stores what its clients put although it knows no other server.
bool node_has_dht(const struct node *node);
// Everything that waits becomes effects, as far as there is room; after every input.
void node_settle(struct node *node, struct now now);
// Server or client, by what is known of the own addresses.
void node_choose_dht_role(struct node *node);

// seat.c
void seat_start(struct node *node, struct now now);
void seat_judge(struct node *node, struct now now);
void seat_publish_soon(struct node *node, struct mono at);
void seat_on_value(struct node *node, struct now now, struct span value);
void seat_on_done(struct node *node, struct now now, uint64_t op, bool ok);
void seat_on_dht_nodes(struct node *node, struct now now);
void seat_on_deadline(struct node *node, struct now now);
struct mono seat_deadline(const struct node *node);
// The own record's bytes, or empty before the first one is made.
struct span seat_value(const struct node *node);
// What members are told in a hello: the own record, or while the WireGuard key is being replaced
// one with the new key, made in `buffer`.
struct span seat_announcement(
    struct node *node, struct now now, uint8_t buffer[static RECORD_MAX_SIZE]);
// A new delegation, or node key with its delegation, is in the configuration.
void seat_on_delegation(struct node *node, struct now now);
// Key or delegation has changed: a new record, published and told to all at once.
void seat_renew(struct node *node, struct now now);
// True if the end of the delegation is near enough for a reminder.
bool seat_is_ending(const struct node *node, uint64_t left_s);

// rotation.c
// The key that members are told, and the one that the own seat is judged by.
const struct wg_key *rotation_told_key(const struct node *node);
const struct wg_key *rotation_claimed_key(const struct node *node);
void rotation_on_reading(struct node *node, struct now now);
void rotation_on_deadline(struct node *node, struct now now);
struct mono rotation_deadline(const struct node *node);

// tombstones.c
// True if `value` is a tombstone of `token`, later than the one that counts, and not what waits.
bool tombstones_is_news(struct node *node, const struct token_id *token, struct span value);
// How a tombstone has come here.
struct stone_source {
    bool own;              // a user gave it
    bool accepted;         // from the saved state: see struct tombstone
    struct span signature; // of a DELEGATION_EIP1271_HASHED, checked; empty = not at hand
};

// Takes a tombstone, from anywhere. `ret`: NO with REASON_TOMBSTONE: it counts, the floors are
// raised; UNKNOWN: kept until the chain has answered; else it is refused. ERR_MALFORMED; ERR_FULL:
// it counts, but is not kept. `source`: NULL = a stranger.
enum status tombstones_take(struct node *node, struct now now, const struct token_id *token,
    struct span value, const struct stone_source *source, struct verdict *ret);
enum status tombstones_create(struct node *node);
void tombstones_destroy(struct node *node);
// The most that the kept signatures take.
size_t tombstones_bytes_max(const struct node_config *config);
// What is kept of the signature; empty if nothing is, or it is in the record.
struct span tombstones_signature(const struct node *node, const struct tombstone *entry);
// The kept signature that `delegation` names; empty if there is none.
struct span tombstones_at_hand(const struct node *node, const struct delegation *delegation);
// Whether one waits for the signature that `delegation` names.
bool tombstones_await(const struct node *node, const struct delegation *delegation);
// Whether `delegation` is that of a tombstone whose signature the chain has said yes to.
bool tombstones_accepted(const struct node *node, const struct delegation *delegation);
void tombstones_on_reading(struct node *node, struct now now, const struct token_id *token);
// Before a claim of `token` is judged: the gate may have forgotten floors that a tombstone had set.
void tombstones_apply(struct node *node, struct now now, const struct token_id *token);
void tombstones_start(struct node *node, struct now now);
void tombstones_tell(struct node *node);
void tombstones_on_done(struct node *node, struct now now, uint64_t op, bool ok);
void tombstones_on_deadline(struct node *node, struct now now);
struct mono tombstones_deadline(const struct node *node);

// peer.c
struct peer *peer_find(struct node *node, const struct token_id *token);
// The entry of `token`, made if there is room; NULL if not. `knocking`: see struct peer.
struct peer *peer_open(
    struct node *node, struct now now, const struct token_id *token, bool knocking);
void peer_close(struct node *node, struct now now, struct peer *peer);
// Closes one that has got nowhere, in favour of one that a person has `asked` for or that knocks.
// False if there is none.
bool peer_make_room(struct node *node, struct now now, bool asked);
void peer_set_state(struct peer *peer, struct mono now, enum peer_state state);
// Takes a value that claims to be this peer's record. `from` is set if it came straight from there.
// Keeps a value whose signature was verified until the chain decides.
void peer_doubt(
    struct peer *peer, struct mono now, struct span value, const struct hash256 *digest);
// The own WireGuard key has changed: a new path, and a new session.
void peer_rekey(struct node *node, struct now now, struct peer *peer);
void peer_on_record(struct node *node, struct now now, struct peer *peer, struct span value,
    const struct address *from);
// The delegation of the claim that waits to be judged; false if there is none.
bool peer_waiting_delegation(
    const struct node *node, const struct peer *peer, struct delegation *ret);
// Decides again about both claims.
void peer_judge(struct node *node, struct now now, struct peer *peer);
void peer_on_validated(
    struct node *node, struct now now, struct peer *peer, const struct path_output *output);
void peer_on_alive(struct node *node, struct now now, struct peer *peer);
// The path machine has noticed that the tunnel is silent, or given an attempt up.
void peer_on_lost(struct node *node, struct now now, struct peer *peer);
void peer_on_failed(struct node *node, struct now now, struct peer *peer, enum path_why why);
void peer_on_device(struct now now, struct peer *peer, const struct wg_peer_state *state);
void peer_on_deadline(struct node *node, struct now now, struct peer *peer);
struct mono peer_deadline(const struct peer *peer);
// Removals first, of all peers: a key or an address may go from one seat to another.
bool peer_next_removal(struct peer *peer, struct node_effect *ret);
bool peer_next_setting(const struct node *node, struct peer *peer, struct node_effect *ret);
// True if messages can be sent through its tunnel.
bool peer_is_up(const struct peer *peer);

// pieces.c
enum status pieces_create(struct node *node);
void pieces_destroy(struct node *node);
// gate_decide with the signature that belongs to the claim, which is fetched if it is not at hand.
struct verdict pieces_decide(struct node *node, struct now now, const struct gate_claim *claim);
// False if `op` is none of theirs.
bool pieces_on_value(struct node *node, struct now now, uint64_t op, struct span value);
bool pieces_on_done(struct node *node, struct now now, uint64_t op);
void pieces_on_deadline(struct node *node, struct now now);
struct mono pieces_deadline(const struct node *node);
// Puts a signature's pieces; nothing if it is empty. There must be room for effects.
void pieces_put(struct node *node, struct span signature);
// Puts the own signature's pieces, if it has any. False if there is no room for them now.
bool pieces_publish(struct node *node);

// search.c
void search_start(struct node *node, struct now now, struct peer *peer);
void search_stop(struct node *node, struct peer *peer);
// The peer is connected: no search, only a look now and then.
void search_pause(struct node *node, struct now now, struct peer *peer);
void search_on_done(struct node *node, struct now now, struct peer *peer);
void search_on_deadline(struct node *node, struct now now, struct peer *peer);

// rendezvous.c
void rendezvous_start(struct node *node, struct now now, struct peer *peer);
void rendezvous_drain(struct node *node, struct now now, struct peer *peer);
void rendezvous_on_deadline(struct node *node, struct now now, struct peer *peer);
void rendezvous_use_pending(struct node *node, struct now now, struct peer *peer);
void rendezvous_mapping_changed(struct node *node, struct now now);
// `peer`'s tunnel has come up: it may carry the intents that have not been answered, and reflect if
// it is public.
void rendezvous_new_tunnel(struct node *node, struct now now, const struct peer *peer);

// What came with an intent.
struct intent_arrival {
    enum intent_way way;
    struct address from; // direct
    struct token_id via; // tunnel: who handed it on
    struct span record;  // may be empty
    struct span intent;
};
void rendezvous_on_intent(struct node *node, struct now now, const struct intent_arrival *arrival);
void inbox_start(struct node *node, struct now now);
void inbox_stop(struct node *node);
void inbox_on_value(struct node *node, struct now now, struct span value);
// The listen did not start, or ended by itself.
void inbox_on_refused(struct node *node, struct now now);
void inbox_on_deadline(struct node *node, struct now now);

// talk.c
void talk_hello(struct node *node, struct now now, struct peer *peer);
void talk_send(struct node *node, const struct peer *peer, const struct message *message);
void talk_on_message(
    struct node *node, struct now now, const struct address *from, struct span bytes);

// members.c
void members_add(struct node *node, struct now now, const struct token_id *token);
// A member says that `token` exists: the chain is asked.
void members_hint(struct node *node, struct now now, const struct token_id *token);
// The gate has news of `token`.
void members_on_reading(struct node *node, struct now now, const struct token_id *token);
// Those that are on chain.
size_t members_count(const struct node *node);
void members_fill(struct node *node, struct now now);

// saved.c
enum status saved_import(struct node *node, struct now now, struct span state);

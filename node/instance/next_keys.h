// SPDX-License-Identifier: GPL-3.0-or-later
//
// Keys that are to take the place of the present ones. Each is written whole beside the one in use,
// and takes its place in one step, so that at any moment one complete identity is there:
//
//    node key       node.key.next is written; the owner signs for it; the delegation replaces the
//                   old one: from here on the new key counts; node.key.next becomes node.key
//    WireGuard key  wireguard.key.next is written; the daemon, or the chain where the contract
//                   stores the key, takes the new one; wireguard.key.next becomes wireguard.key
//
// Whoever comes next, after a crash at any point, finds out from the files how far it got.
#pragma once

#include "node/instance/state.h"

// The next keys. As state_node_key_read: ERR_NOT_FOUND if no rotation is under way.
enum status next_node_key_read(
    const struct state *state, struct node_secret *ret, struct state_error *error);
enum status next_wg_key_read(
    const struct state *state, struct wg_secret *ret, struct state_error *error);

// As state_node_key_write_new.
enum status next_node_key_write_new(
    const struct state *state, const struct node_secret *key, struct state_error *error);
enum status next_wg_key_write_new(
    const struct state *state, const struct wg_secret *key, struct state_error *error);

// The next key becomes the one in use. OK also if it is that already; ERR_NOT_FOUND if there is no
// next key; otherwise as state_read and state_write: nothing has changed.
enum status next_node_key_adopt(const struct state *state, struct state_error *error);
enum status next_wg_key_adopt(const struct state *state, struct state_error *error);

// Adopts the next node key if `delegated`, the node key that the stored delegation is for, is its
// public half; otherwise does nothing. Before the node key is used.
enum status next_node_key_settle(
    const struct state *state, const struct node_key *delegated, struct state_error *error);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Our engine as dht_hang_tool's victim, in types that C++ takes.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hang_victim;

struct hang_victim *hang_victim_new(uint64_t now_ms);
void hang_victim_delete(struct hang_victim *victim);

// One datagram from the attacker's address number `host`, or with size 0 what is due.
void hang_victim_drive(
    struct hang_victim *victim, uint64_t now_ms, unsigned host, const uint8_t *data, size_t size);

// The next datagram to the attacker, until false; valid until the next call.
bool hang_victim_next_send(struct hang_victim *victim, const uint8_t **ret, size_t *ret_size);

uint64_t hang_victim_values(struct hang_victim *victim);
uint64_t hang_victim_bytes(struct hang_victim *victim);

#ifdef __cplusplus
}
#endif

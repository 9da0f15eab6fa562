// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the DHT folder offers: the values that members leave there (records, tombstones, intents,
// manifests, pieces), the keys they lie at, and the rules for what strangers may store with us.
// docs/protocol.md is the normative form of every byte.
#pragma once

#include "dht/intent.h"
#include "dht/key.h"
#include "dht/manifest.h"
#include "dht/piece.h"
#include "dht/policy.h"
#include "dht/record.h"
#include "dht/seal.h"

// SPDX-License-Identifier: GPL-3.0-or-later
//
// How a peer is reached: STUN framing, what is known of the own NAT, and one path machine a peer.
// Everything included here is pure. The socket that shares WireGuard's port is an edge of its own,
// nat/port_linux.h.
#pragma once

#include "nat/limiter.h"
#include "nat/mapping.h"
#include "nat/path.h"
#include "nat/probe.h"
#include "nat/reflector.h"
#include "nat/stun.h"

// SPDX-License-Identifier: GPL-3.0-or-later
#include "nat/nat.h"
#include "nat/port_linux.h"

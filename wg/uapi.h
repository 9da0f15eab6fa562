// SPDX-License-Identifier: GPL-3.0-or-later
//
// WireGuard's cross-platform userspace protocol as text, both directions; no I/O.
// https://www.wireguard.com/xplatform/
//
//   request   get=1 \n \n                     reply   key=value \n ... errno=0 \n \n
//             set=1 \n key=value \n ... \n            errno=0 \n \n
//
// The device's own keys stand first; each public_key opens a peer. What a device says is taken as
// outside data: bounded, and rejected as a whole if any of it is malformed.
#pragma once

#include "wg/wg.h"

enum {
    UAPI_OP_SIZE_MAX = 640,     // what uapi_write_op() writes at most
    UAPI_CONFIG_SIZE_MAX = 160, // what uapi_write_config() writes at most
};

void uapi_write_get(struct writer *writer);

// A set request: begin, then config and operations in order, then end.
void uapi_write_set_begin(struct writer *writer);
void uapi_write_set_end(struct writer *writer);

// The text holds the secret key in hex if config->set_key: wipe the buffer after use.
void uapi_write_config(struct writer *writer, const struct wg_config *config);

// Writes nothing for WG_OP_REFUSE.
void uapi_write_op(struct writer *writer, const struct wg_op *op);

// The answer to a set request. OK and the errno it carries, made positive; 0 is success.
// ERR_TRUNCATED: it does not end with an empty line. ERR_MALFORMED.
enum status uapi_parse_reply(struct span text, uint32_t *ret_errno);

// The answer to a get request. OK and *ret_errno as above; `ret` is filled only if that is 0. Its
// arrays may be scribbled on in any case. Unknown keys are skipped; the secret key in the text is
// turned into the public one.
// ERR_TRUNCATED, ERR_MALFORMED as above. ERR_FULL: more peers or prefixes than `ret` has room for.
enum status uapi_parse_state(struct span text, struct wg_device_state *ret, uint32_t *ret_errno);

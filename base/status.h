// SPDX-License-Identifier: GPL-3.0-or-later
//
// The one list of failures. Each value is a distinct decision for the caller; a value that nobody
// would treat differently from another does not belong here.
#pragma once

#include "base/assert.h"

// X(name, text): the text continues the sentence "could not ...: ".
#define STATUS_LIST(X)                                                                             \
    X(OK, "no error")                                                                              \
    /* Bytes from outside. */                                                                      \
    X(ERR_TRUNCATED, "the data ends too early")                                                    \
    X(ERR_TRAILING, "there are bytes after the end of the data")                                   \
    X(ERR_TOO_LARGE, "the data is larger than the format allows")                                  \
    X(ERR_MALFORMED, "the data does not have the expected form")                                   \
    X(ERR_NOT_CANONICAL, "the data is not in its only valid encoding")                             \
    X(ERR_VERSION, "the version is not known to this program")                                     \
    X(ERR_RANGE, "a value is out of its range")                                                    \
    X(ERR_SIGNATURE, "the signature does not verify")                                              \
    X(ERR_SEAL, "the seal does not open with this key")                                            \
    X(ERR_MISMATCH, "the data is about something else than was asked for")                         \
    X(ERR_EXPIRED, "it has expired")                                                               \
    X(ERR_FUTURE, "it lies too far in the future")                                                 \
    X(ERR_REPLAYED, "an equal or newer one was seen before")                                       \
    X(ERR_UNSUPPORTED, "it is of a kind that this program does not handle")                        \
    /* Limits of this node. */                                                                     \
    X(ERR_FULL, "the table or buffer is full")                                                     \
    X(ERR_RATE, "the rate limit is reached")                                                       \
    X(ERR_NOT_FOUND, "there is no such entry")                                                     \
    X(ERR_EXISTS, "it exists already")                                                             \
    /* The environment. */                                                                         \
    X(ERR_IO, "an input or output operation failed")                                               \
    X(ERR_PERMISSION, "the operating system does not permit it")                                   \
    X(ERR_BUSY, "something else is using it")                                                      \
    X(ERR_UNREACHABLE, "the other side cannot be reached")                                         \
    X(ERR_TIMEOUT, "no answer came in time")

#define STATUS_ENUM_ENTRY(name, text) name,
enum [[nodiscard]] status{STATUS_LIST(STATUS_ENUM_ENTRY)};
#undef STATUS_ENUM_ENTRY

// The enumerator's own name, e.g. "ERR_TRUNCATED", for logs and metrics. Static storage.
const char *status_name(enum status status);

// A clause for people, e.g. "the data ends too early". Static storage.
const char *status_text(enum status status);

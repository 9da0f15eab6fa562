// SPDX-License-Identifier: GPL-3.0-or-later
//
// Published vectors, read from the folder that DEEDMESH_VECTORS names. Whatever is not as expected
// fails the running test.
#pragma once

#include "base/bytes.h"

#include <jansson.h>

enum {
    VECTORS_SKIPPED = 77, // what a test program returns to ctest
};

// False, with a line on stderr, where DEEDMESH_VECTORS names no folder.
bool vectors_present(void);

// The path of a file or folder, for the time until the next call.
const char *vectors_path(const char *name);

// A JSON file, gzipped or not. A new reference.
json_t *vectors_load(const char *name);

// The string, number or object under a key that must be there.
const char *vectors_text(const json_t *object, const char *key);
const json_t *vectors_member(const json_t *object, const char *key);

// Hex with or without "0x"; bytes live in `buffer`.
struct span vectors_hex(const char *hex, uint8_t *buffer, size_t capacity);

// Exactly `size` bytes.
void vectors_bytes(const char *hex, uint8_t *ret, size_t size);

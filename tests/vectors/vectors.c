// SPDX-License-Identifier: GPL-3.0-or-later
//
// Files to JSON; zlib reads those that are not compressed as they are.
#include "tests/vectors/vectors.h"

#include "base/text.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

static const char *folder(void)
{
    return getenv("DEEDMESH_VECTORS");
}

bool vectors_present(void)
{
    if (folder() != NULL && folder()[0] != '\0') {
        return true;
    }
    (void)fprintf(stderr, "skipped: DEEDMESH_VECTORS names no folder\n");
    return false;
}

const char *vectors_path(const char *name)
{
    static char path[512];
    int size = snprintf(path, sizeof path, "%s/%s", folder(), name);
    assert_true(size > 0 && (size_t)size < sizeof path);
    return path;
}

json_t *vectors_load(const char *name)
{
    enum { CAPACITY = 1 << 23 };
    char *text = malloc(CAPACITY);
    assert_non_null(text);
    gzFile file = gzopen(vectors_path(name), "rb");
    assert_non_null(file);
    int size = gzread(file, text, CAPACITY);
    assert_true(size > 0 && size < CAPACITY);
    (void)gzclose(file);
    json_t *root = json_loadb(text, (size_t)size, JSON_ALLOW_NUL, NULL);
    assert_non_null(root);
    free(text);
    return root;
}

const json_t *vectors_member(const json_t *object, const char *key)
{
    const json_t *member = json_object_get(object, key);
    assert_non_null(member);
    return member;
}

const char *vectors_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(vectors_member(object, key));
    assert_non_null(text);
    return text;
}

struct span vectors_hex(const char *hex, uint8_t *buffer, size_t capacity)
{
    size_t digits = strlen(hex);
    size_t size = (strncmp(hex, "0x", 2) == 0 ? digits - 2 : digits) / 2;
    assert_true(size <= capacity);
    vectors_bytes(hex, buffer, size);
    return span_of(buffer, size);
}

void vectors_bytes(const char *hex, uint8_t *ret, size_t size)
{
    assert_int_equal(hex_parse(span_of_text(hex), ret, size), OK);
}

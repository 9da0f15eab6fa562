// SPDX-License-Identifier: GPL-3.0-or-later
//
// The manifest: [form, authority, version, chain id, contract, profile, ip, prefix length, poll,
// grace, window, [url ...], signature].
#include "dht/manifest.h"

#include "dht/parts.h"

#include <string.h>

enum {
    MANIFEST_ELEMENTS = 13,
    IPV4_SIZE = 4,
    IPV4_BITS = 32,
};

static const char http_scheme[] = "http://";
static const char https_scheme[] = "https://";

static bool starts_with(struct span text, const char *start)
{
    size_t size = strlen(start);
    return text.size > size && memcmp(text.data, start, size) == 0;
}

// Only what can be shown to a person and handed on; chain/ takes the URL apart.
static bool url_is_plain(struct span url)
{
    if (url.size > MANIFEST_URL_MAX_SIZE ||
        (!starts_with(url, https_scheme) && !starts_with(url, http_scheme))) {
        return false;
    }
    for (size_t i = 0; i < url.size; i++) {
        if (url.data[i] <= ' ' || url.data[i] > '~' || url.data[i] == '@') {
            return false;
        }
    }
    return true;
}

static void pack_body(struct writer *writer, const struct manifest *manifest)
{
    pack_array(writer, MANIFEST_ELEMENTS);
    pack_uint(writer, VALUE_MANIFEST);
    pack_binary(writer, span_of(manifest->authority.bytes, sizeof manifest->authority.bytes));
    pack_uint(writer, manifest->version);
    pack_uint(writer, manifest->network.chain_id);
    pack_binary(
        writer, span_of(manifest->network.contract.bytes, sizeof manifest->network.contract.bytes));
    pack_uint(writer, (uint64_t)manifest->profile);
    pack_binary(writer, span_of(manifest->ipv4.base.ip, IPV4_SIZE));
    pack_uint(writer, manifest->ipv4.length);
    pack_uint(writer, manifest->poll_s);
    pack_uint(writer, manifest->grace_s);
    pack_uint(writer, manifest->delegation_window_days);
    pack_array(writer, manifest->rpc_count);
    for (size_t i = 0; i < manifest->rpc_count; i++) {
        pack_text(writer, span_of(manifest->rpc[i].text, manifest->rpc[i].size));
    }
}

static struct signed_part signed_part_of(struct span body)
{
    return (struct signed_part){.label = "deedmesh/1 manifest", .body = body};
}

static bool prefix_is_clean(const struct prefix *prefix)
{
    struct prefix clean = prefix_of(&prefix->base, prefix->length);
    return address_same_ip(&clean.base, &prefix->base);
}

enum status manifest_encode(const struct manifest *manifest, const struct node_secret *secret,
    uint8_t ret[static MANIFEST_MAX_SIZE], size_t *ret_size)
{
    if (manifest_check(manifest, true) != MANIFEST_FINE) {
        return ERR_RANGE;
    }
    struct writer writer = writer_of(ret, MANIFEST_MAX_SIZE);
    pack_body(&writer, manifest);
    struct signed_part part = signed_part_of(writer_written(&writer));
    pack_signature(&writer, &part, secret, &manifest->authority);
    enum status status = writer_finish(&writer);
    if (status == OK) {
        *ret_size = writer.size;
    }
    return status == ERR_FULL ? ERR_TOO_LARGE : status;
}

static void unpack_prefix(struct reader *reader, struct prefix *ret)
{
    ret->base.family = FAMILY_IPV4;
    unpack_fixed(reader, ret->base.ip, IPV4_SIZE);
    ret->length = (uint8_t)unpack_uint(reader, IPV4_BITS);
    if (reader->failure == OK && !prefix_is_clean(ret)) {
        reader_fail(reader, ERR_RANGE);
    }
}

static void unpack_urls(struct reader *reader, struct manifest *manifest)
{
    uint8_t count = unpack_array(reader);
    if (count > MANIFEST_RPC_MAX) {
        reader_fail(reader, ERR_RANGE);
    }
    for (size_t i = 0; i < count && reader->failure == OK; i++) {
        struct span url = unpack_text(reader, 1, MANIFEST_URL_MAX_SIZE);
        if (reader->failure == OK && !url_is_plain(url)) {
            reader_fail(reader, ERR_RANGE);
            return;
        }
        if (url.size > 0) {
            memcpy(manifest->rpc[i].text, url.data, url.size);
        }
        manifest->rpc[i].size = (uint8_t)url.size;
        manifest->rpc_count++;
    }
}

enum status manifest_parse(struct span value, struct manifest *ret)
{
    if (value.size > MANIFEST_MAX_SIZE) {
        return ERR_TOO_LARGE;
    }
    struct manifest manifest = {0};
    struct reader reader = reader_of(value);
    unpack_form(&reader, VALUE_MANIFEST, MANIFEST_ELEMENTS);
    unpack_fixed(&reader, manifest.authority.bytes, sizeof manifest.authority.bytes);
    manifest.version = (uint32_t)unpack_uint(&reader, UINT32_MAX);
    manifest.network.chain_id = unpack_uint(&reader, UINT64_MAX);
    unpack_fixed(&reader, manifest.network.contract.bytes, sizeof manifest.network.contract.bytes);
    manifest.profile = (enum contract_profile)unpack_uint(&reader, PROFILE_DSTACK_ACCESS);
    unpack_prefix(&reader, &manifest.ipv4);
    manifest.poll_s = (uint32_t)unpack_uint(&reader, UINT32_MAX);
    manifest.grace_s = (uint32_t)unpack_uint(&reader, UINT32_MAX);
    manifest.delegation_window_days = (uint32_t)unpack_uint(&reader, UINT32_MAX);
    unpack_urls(&reader, &manifest);
    (void)unpack_binary(&reader, SIGNATURE_SIZE, SIGNATURE_SIZE);
    enum status status = reader_finish(&reader);
    if (status == OK) {
        *ret = manifest;
    }
    return status;
}

enum status manifest_decode(struct span value, struct manifest *ret)
{
    struct manifest manifest;
    enum status status = manifest_parse(value, &manifest);
    if (status != OK) {
        return status;
    }
    struct signed_part part =
        signed_part_of(span_of(value.data, value.size - SIGNATURE_PACKED_SIZE));
    status = signature_verify(&part, value.data + value.size - SIGNATURE_SIZE, &manifest.authority);
    if (status == OK) {
        *ret = manifest;
    }
    return status;
}

// RFC 1918 and RFC 6598.
static bool prefix_is_private(const struct prefix *prefix)
{
    const struct prefix ranges[] = {
        {.base = address_of_ipv4(10, 0, 0, 0, 0), .length = 8},
        {.base = address_of_ipv4(172, 16, 0, 0, 0), .length = 12},
        {.base = address_of_ipv4(192, 168, 0, 0, 0), .length = 16},
        {.base = address_of_ipv4(100, 64, 0, 0, 0), .length = 10},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (prefix->length >= ranges[i].length && prefix_contains(&ranges[i], &prefix->base)) {
            return true;
        }
    }
    return false;
}

static enum manifest_problem check_prefix(const struct prefix *prefix)
{
    if (prefix->base.family != FAMILY_IPV4 || prefix->length > IPV4_BITS ||
        !prefix_is_clean(prefix)) {
        return MANIFEST_PREFIX_NOT_IPV4;
    }
    if (prefix->length < MANIFEST_PREFIX_MIN_LENGTH ||
        prefix->length > MANIFEST_PREFIX_MAX_LENGTH) {
        return MANIFEST_PREFIX_LENGTH;
    }
    return prefix_is_private(prefix) ? MANIFEST_FINE : MANIFEST_PREFIX_PUBLIC;
}

static enum manifest_problem check_urls(const struct manifest *manifest, bool allow_http)
{
    if (manifest->rpc_count > MANIFEST_RPC_MAX) {
        return MANIFEST_RPC_MALFORMED;
    }
    for (size_t i = 0; i < manifest->rpc_count; i++) {
        struct span url = span_of(manifest->rpc[i].text, manifest->rpc[i].size);
        if (!url_is_plain(url)) {
            return MANIFEST_RPC_MALFORMED;
        }
        if (!allow_http && starts_with(url, http_scheme)) {
            return MANIFEST_RPC_HTTP;
        }
    }
    return MANIFEST_FINE;
}

enum manifest_problem manifest_check(const struct manifest *manifest, bool allow_http)
{
    if (manifest->version == 0) {
        return MANIFEST_VERSION_ZERO;
    }
    if (manifest->network.chain_id == 0) {
        return MANIFEST_CHAIN_ZERO;
    }
    if (eth_address_is_zero(&manifest->network.contract)) {
        return MANIFEST_CONTRACT_ZERO;
    }
    enum manifest_problem problem = check_prefix(&manifest->ipv4);
    if (problem != MANIFEST_FINE) {
        return problem;
    }
    if (manifest->poll_s < MANIFEST_POLL_MIN_S || manifest->poll_s > MANIFEST_POLL_MAX_S) {
        return MANIFEST_POLL;
    }
    if (manifest->grace_s > MANIFEST_GRACE_MAX_S) {
        return MANIFEST_GRACE;
    }
    if (manifest->delegation_window_days == 0 ||
        manifest->delegation_window_days > MANIFEST_WINDOW_MAX_DAYS) {
        return MANIFEST_WINDOW;
    }
    return check_urls(manifest, allow_http);
}

const char *manifest_problem_text(enum manifest_problem problem)
{
    switch (problem) {
#define MANIFEST_TEXT_CASE(name, text)                                                             \
    case name:                                                                                     \
        return text;
        MANIFEST_PROBLEM_LIST(MANIFEST_TEXT_CASE)
#undef MANIFEST_TEXT_CASE
    }
    return "unknown";
}

static bool content_is_equal(const struct manifest *a, const struct manifest *b)
{
    uint8_t bytes_a[MANIFEST_MAX_SIZE];
    uint8_t bytes_b[MANIFEST_MAX_SIZE];
    struct writer writer_a = writer_of(bytes_a, sizeof bytes_a);
    struct writer writer_b = writer_of(bytes_b, sizeof bytes_b);
    pack_body(&writer_a, a);
    pack_body(&writer_b, b);
    return span_equal(writer_written(&writer_a), writer_written(&writer_b));
}

enum manifest_update manifest_check_update(
    const struct manifest *pinned, const struct manifest *other)
{
    if (!node_key_equal(&pinned->authority, &other->authority)) {
        return MANIFEST_OTHER_AUTHORITY;
    }
    if (pinned->network.chain_id != other->network.chain_id) {
        return MANIFEST_CHAIN_CHANGED;
    }
    if (!eth_address_equal(&pinned->network.contract, &other->network.contract)) {
        return MANIFEST_CONTRACT_CHANGED;
    }
    if (pinned->profile != other->profile) {
        return MANIFEST_PROFILE_CHANGED;
    }
    if (pinned->ipv4.length != other->ipv4.length ||
        !address_same_ip(&pinned->ipv4.base, &other->ipv4.base)) {
        return MANIFEST_PREFIX_CHANGED;
    }
    if (pinned->version != other->version) {
        return other->version > pinned->version ? MANIFEST_NEWER : MANIFEST_OLDER;
    }
    return content_is_equal(pinned, other) ? MANIFEST_SAME : MANIFEST_CONFLICTING;
}

// 160 bits are 32 groups of 5: no padding, no second form of the last character.
static const char base32_alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

void fingerprint_format(const struct dht_key *key, char ret[static FINGERPRINT_TEXT_SIZE])
{
    size_t size = 0;
    uint32_t bits = 0;
    uint32_t bit_count = 0;
    for (size_t i = 0; i < sizeof key->bytes; i++) {
        bits = (bits << 8 | key->bytes[i]) & 0xfff; // at most 4 bits are left over
        bit_count += 8;
        for (; bit_count >= 5; bit_count -= 5) {
            ret[size++] = base32_alphabet[bits >> (bit_count - 5) & 0x1f];
        }
    }
    ASSERT(size == FINGERPRINT_TEXT_SIZE - 1);
    ret[size] = '\0';
}

enum status fingerprint_parse(struct span text, struct dht_key *ret)
{
    struct dht_key key;
    if (text.size != FINGERPRINT_TEXT_SIZE - 1) {
        return ERR_MALFORMED;
    }
    size_t size = 0;
    uint32_t bits = 0;
    uint32_t bit_count = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        char lower = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
        const char *found = memchr(base32_alphabet, lower, sizeof base32_alphabet - 1);
        if (found == NULL) {
            return ERR_MALFORMED;
        }
        bits = (bits << 5 | (uint32_t)(found - base32_alphabet)) & 0xfff;
        bit_count += 5;
        if (bit_count >= 8) {
            bit_count -= 8;
            key.bytes[size++] = (uint8_t)(bits >> bit_count);
        }
    }
    *ret = key;
    return OK;
}

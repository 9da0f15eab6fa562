// SPDX-License-Identifier: GPL-3.0-or-later
//
// Text forms of numbers and identities.
#include "base/text.h"

#include <sodium.h>
#include <string.h>

enum status decimal_parse(struct span text, uint64_t max, uint64_t *ret)
{
    if (text.size == 0 || (text.size > 1 && text.data[0] == '0')) {
        return ERR_MALFORMED;
    }
    uint64_t value = 0;
    bool in_range = true;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t digit = (uint8_t)(text.data[i] - '0');
        if (digit > 9) {
            return ERR_MALFORMED;
        }
        in_range = in_range && digit <= max && value <= (max - digit) / 10;
        value = in_range ? value * 10 + digit : value;
    }
    if (!in_range) {
        return ERR_RANGE;
    }
    *ret = value;
    return OK;
}

void hex_format(struct span bytes, char *ret)
{
    (void)sodium_bin2hex(ret, bytes.size * 2 + 1, bytes.data, bytes.size);
}

uint8_t hex_digit_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9') {
        return (uint8_t)(digit - '0');
    }
    uint8_t lower = digit | 0x20;
    return lower >= 'a' && lower <= 'f' ? (uint8_t)(lower - 'a' + 10) : HEX_NOT_A_DIGIT;
}

static struct span without_0x(struct span text)
{
    bool prefixed = text.size >= 2 && text.data[0] == '0' && text.data[1] == 'x';
    return prefixed ? span_of(text.data + 2, text.size - 2) : text;
}

enum status hex_parse(struct span text, uint8_t *ret, size_t size)
{
    struct span digits = without_0x(text);
    if (digits.size != size * 2) {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < digits.size; i++) {
        if (hex_digit_value(digits.data[i]) == HEX_NOT_A_DIGIT) {
            return ERR_MALFORMED;
        }
    }
    for (size_t i = 0; i < size; i++) {
        uint8_t high = hex_digit_value(digits.data[2 * i]);
        ret[i] = (uint8_t)(high << 4 | hex_digit_value(digits.data[2 * i + 1]));
    }
    return OK;
}

void token_id_format(const struct token_id *token, char ret[static TOKEN_TEXT_SIZE])
{
    struct token_id rest = *token;
    char digits[TOKEN_TEXT_SIZE];
    size_t count = 0;
    bool zero;
    do {
        uint32_t remainder = 0;
        zero = true;
        for (size_t i = 0; i < sizeof rest.bytes; i++) {
            uint32_t value = remainder << 8 | rest.bytes[i];
            rest.bytes[i] = (uint8_t)(value / 10);
            remainder = value % 10;
            zero = zero && rest.bytes[i] == 0;
        }
        digits[count++] = (char)('0' + remainder);
    } while (!zero);
    for (size_t i = 0; i < count; i++) {
        ret[i] = digits[count - 1 - i];
    }
    ret[count] = '\0';
}

static enum status token_parse_hex(struct span digits, struct token_id *ret)
{
    char padded[64];
    if (digits.size == 0 || digits.size > sizeof padded) {
        return digits.size == 0 ? ERR_MALFORMED : ERR_RANGE;
    }
    memset(padded, '0', sizeof padded);
    memcpy(padded + sizeof padded - digits.size, digits.data, digits.size);
    return hex_parse(span_of(padded, sizeof padded), ret->bytes, sizeof ret->bytes);
}

static enum status token_push_digit(struct token_id *token, uint8_t digit)
{
    uint32_t carry = digit;
    for (size_t i = sizeof token->bytes; i > 0; i--) {
        uint32_t value = token->bytes[i - 1] * 10U + carry;
        token->bytes[i - 1] = (uint8_t)value;
        carry = value >> 8;
    }
    return carry == 0 ? OK : ERR_RANGE;
}

enum status token_id_parse(struct span text, struct token_id *ret)
{
    struct token_id token = token_id_zero;
    struct span hex = without_0x(text);
    if (hex.size != text.size) {
        enum status status = token_parse_hex(hex, &token);
        if (status == OK) {
            *ret = token;
        }
        return status;
    }
    if (text.size == 0) {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return ERR_MALFORMED;
        }
        enum status status = token_push_digit(&token, (uint8_t)(text.data[i] - '0'));
        if (status != OK) {
            return status;
        }
    }
    *ret = token;
    return OK;
}

void wg_key_format(const struct wg_key *key, char ret[static WG_KEY_TEXT_SIZE])
{
    (void)sodium_bin2base64(
        ret, WG_KEY_TEXT_SIZE, key->bytes, sizeof key->bytes, sodium_base64_VARIANT_ORIGINAL);
}

enum status wg_key_parse(struct span text, struct wg_key *ret)
{
    struct wg_key key;
    size_t size = 0;
    const char *end = NULL;
    const char *begin = (const char *)text.data;
    if (text.size != WG_KEY_TEXT_SIZE - 1 ||
        sodium_base642bin(key.bytes, sizeof key.bytes, begin, text.size, NULL, &size, &end,
            sodium_base64_VARIANT_ORIGINAL) != 0 ||
        size != sizeof key.bytes || end != begin + text.size) {
        return ERR_MALFORMED;
    }
    // libsodium 1.0.18 takes some bytes beyond ASCII for digits: only the one form that we would
    // print ourselves counts.
    char printed[WG_KEY_TEXT_SIZE];
    wg_key_format(&key, printed);
    if (!span_equal(span_of_text(printed), text)) {
        return ERR_MALFORMED;
    }
    *ret = key;
    return OK;
}

void eth_address_format(const struct eth_address *address, char ret[static ETH_ADDRESS_TEXT_SIZE])
{
    ret[0] = '0';
    ret[1] = 'x';
    hex_format(span_of(address->bytes, sizeof address->bytes), ret + 2);
}

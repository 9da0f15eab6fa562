// SPDX-License-Identifier: GPL-3.0-or-later
//
// Records and tombstones: round trips, golden bytes, limits, order, and every hostile change.
#include "dht/parts.h"
#include "tests/unit/dht/fixtures.h"
#include "tests/unit/unit.h"

struct encoded {
    uint8_t bytes[RECORD_MAX_SIZE + 1];
    size_t size;
    struct dht_key at;
};

static struct encoded encode(
    const struct network_keys *keys, const struct fixture_node *node, const struct record *record)
{
    struct encoded encoded = {.at = key_of_record(keys, &record->token)};
    assert_int_equal(record_encode(keys, node == NULL ? NULL : &node->secret, record, encoded.bytes,
                         &encoded.size),
        OK);
    assert_true(encoded.size <= RECORD_MAX_SIZE);
    return encoded;
}

static struct span span_of_encoded(const struct encoded *encoded)
{
    return span_of(encoded->bytes, encoded->size);
}

static enum status decode(
    const struct network_keys *keys, const struct encoded *encoded, struct record *ret)
{
    return record_decode(keys, &encoded->at, span_of_encoded(encoded), ret);
}

static void check_round_trip(const struct network_keys *keys, const struct fixture_node *node,
    const struct record *record, const char *golden)
{
    struct encoded encoded = encode(keys, node, record);
    fixture_check_golden(golden, span_of_encoded(&encoded));
    struct record decoded;
    assert_int_equal(decode(keys, &encoded, &decoded), OK);
    // One encoding: what was decoded encodes to the same bytes.
    struct encoded again = encode(keys, node, &decoded);
    assert_true(span_equal(span_of_encoded(&encoded), span_of_encoded(&again)));
    assert_memory_equal(&decoded.wg_key, &record->wg_key, sizeof decoded.wg_key);
    assert_true(decoded.sequence == record->sequence && decoded.boot == record->boot);
    assert_int_equal(decoded.candidates.count, record->candidates.count);
    assert_true(token_id_equal(&decoded.delegation.token, &record->token));
    assert_true(node_key_equal(&decoded.delegation.node_key, &record->node_key));
}

static void records_round_trip(void **)
{
    struct network_keys keys = fixture_keys();
    struct network_keys hidden = fixture_secret_keys();
    struct fixture_node node = fixture_node(1);
    struct record record = fixture_record(&node);
    check_round_trip(&keys, &node, &record, "record");
    check_round_trip(&hidden, &node, &record, "record_sealed");
    struct record tombstone = fixture_tombstone();
    check_round_trip(&keys, NULL, &tombstone, "tombstone");
    check_round_trip(&hidden, NULL, &tombstone, "tombstone_sealed");
}

static void every_delegation_kind_round_trips(void **)
{
    struct network_keys keys = fixture_keys();
    struct fixture_node node = fixture_node(1);
    struct record record = fixture_record(&node);
    record.delegation.kind = DELEGATION_EIP191;
    check_round_trip(&keys, &node, &record, "record_eip191");
    record.delegation.kind = DELEGATION_EIP1271;
    record.delegation.signature_size = DELEGATION_SIGNATURE_MAX;
    check_round_trip(&keys, &node, &record, "record_eip1271");
    record.delegation.signature_size = 0; // a wallet that knows the hash by itself
    check_round_trip(&keys, &node, &record, "record_eip1271_empty");
    record.delegation.kind = DELEGATION_EIP1271_HASHED;
    record.delegation.signature_size = 32;
    record.delegation.hashed_size = DELEGATION_HASHED_MAX_SIZE;
    check_round_trip(&keys, &node, &record, "record_eip1271_hashed");
}

// The largest of everything still leaves room for the 150 bytes of candidates, but for the largest
// inline signature under a seal.
static void the_largest_record_fits(void **)
{
    struct network_keys hidden = fixture_secret_keys();
    struct fixture_node node = fixture_node(1);
    struct record record = fixture_record(&node);
    record.sequence = UINT64_MAX;
    record.candidates = (struct candidates){.count = CANDIDATES_MAX};
    for (size_t i = 0; i < CANDIDATES_MAX; i++) {
        record.candidates.list[i] = fixture_candidate_ipv6((uint8_t)(i + 1), 51820);
    }
    struct record decoded;
    struct encoded encoded = encode(&hidden, &node, &record);
    assert_int_equal(decode(&hidden, &encoded, &decoded), OK);
    assert_int_equal(decoded.candidates.count, 6); // 6 x 23 <= 150
    record.delegation.kind = DELEGATION_EIP1271;
    record.delegation.signature_size = DELEGATION_SIGNATURE_MAX;
    encoded = encode(&hidden, &node, &record);
    assert_int_equal(decode(&hidden, &encoded, &decoded), OK);
    assert_true(decoded.candidates.count >= 4 && decoded.candidates.count < 6);
    assert_memory_equal(
        decoded.candidates.list, record.candidates.list, sizeof decoded.candidates.list[0]);
}

static void candidates_give_way_by_priority(void **)
{
    struct network_keys keys = fixture_keys();
    struct fixture_node node = fixture_node(1);
    struct record record = fixture_record(&node);
    char name[HOST_NAME_MAX_SIZE + 1];
    memset(name, 'a', sizeof name);
    name[40] = '.';
    name[HOST_NAME_MAX_SIZE] = '\0';
    record.candidates = (struct candidates){.count = 6};
    record.candidates.list[0] = fixture_candidate_name(name); // 97 bytes
    record.candidates.list[1] = fixture_candidate_name("second.example.org");
    record.candidates.list[2] = fixture_candidate_relay(1);       // 36 bytes
    record.candidates.list[3] = fixture_candidate_ipv6(1, 51820); // does not fit any more
    record.candidates.list[4] = fixture_candidate_ipv4(1, 51820); // 11 bytes
    record.candidates.list[5] = fixture_candidate_ipv4(2, 51820); // would be 155
    struct record decoded;
    struct encoded encoded = encode(&keys, &node, &record);
    assert_int_equal(decode(&keys, &encoded, &decoded), OK);
    assert_int_equal(decoded.candidates.count, 3);
    assert_int_equal(decoded.candidates.list[0].kind, CANDIDATE_HOST_NAME);
    assert_int_equal(decoded.candidates.list[0].host_name_size, HOST_NAME_MAX_SIZE);
    assert_int_equal(decoded.candidates.list[1].kind, CANDIDATE_RELAY);
    assert_true(
        address_equal(&decoded.candidates.list[2].address, &record.candidates.list[4].address));
}

static void truncations_and_additions_are_refused(void **)
{
    struct network_keys both[] = {fixture_keys(), fixture_secret_keys()};
    struct fixture_node node = fixture_node(1);
    struct record record = fixture_record(&node);
    struct record decoded;
    for (size_t i = 0; i < 2; i++) {
        struct encoded encoded = encode(&both[i], &node, &record);
        for (size_t size = 0; size < encoded.size; size++) {
            assert_int_equal(
                record_decode(&both[i], &encoded.at, span_of(encoded.bytes, size), &decoded),
                ERR_TRUNCATED);
        }
        encoded.size++;
        assert_int_equal(decode(&both[i], &encoded, &decoded), ERR_TRAILING);
    }
    uint8_t large[RECORD_MAX_SIZE + 1] = {0x9c, 1};
    struct dht_key at = key_of_record(&both[0], &record.token);
    assert_int_equal(
        record_decode(&both[0], &at, span_of(large, sizeof large), &decoded), ERR_TOO_LARGE);
}

static void no_flipped_bit_is_accepted(void **)
{
    struct network_keys both[] = {fixture_keys(), fixture_secret_keys()};
    struct fixture_node node = fixture_node(1);
    struct record record = fixture_record(&node);
    struct record decoded;
    for (size_t i = 0; i < 2; i++) {
        struct encoded encoded = encode(&both[i], &node, &record);
        for (size_t bit = 0; bit < encoded.size * 8; bit++) {
            encoded.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_not_equal(decode(&both[i], &encoded, &decoded), OK);
            encoded.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_int_equal(decode(&both[i], &encoded, &decoded), OK);
    }
}

static void other_places_and_networks_are_refused(void **)
{
    struct network_keys keys = fixture_keys();
    struct network_keys hidden = fixture_secret_keys();
    struct network other_network = fixture_network();
    other_network.contract.bytes[0] ^= 1;
    struct network_keys other = network_keys_of(&other_network, NULL);
    struct fixture_node node = fixture_node(1);
    struct record record = fixture_record(&node);
    struct encoded encoded = encode(&keys, &node, &record);
    struct encoded sealed = encode(&hidden, &node, &record);
    struct record decoded;

    struct token_id eight = token_id_of_u64(8);
    struct dht_key elsewhere = key_of_record(&keys, &eight);
    assert_int_equal(
        record_decode(&keys, &elsewhere, span_of_encoded(&encoded), &decoded), ERR_MISMATCH);
    assert_int_equal(decode(&other, &encoded, &decoded), ERR_MISMATCH);
    // Moved to the other network's key, the signature still names this network.
    encoded.at = key_of_record(&other, &record.token);
    assert_int_equal(decode(&other, &encoded, &decoded), ERR_SIGNATURE);
    encoded.at = sealed.at;
    assert_int_equal(decode(&hidden, &encoded, &decoded), ERR_SEAL);
    assert_int_equal(decode(&keys, &sealed, &decoded), ERR_SEAL);
    sealed.at = elsewhere;
    assert_int_equal(decode(&hidden, &sealed, &decoded), ERR_SEAL);
}

static void other_forms_are_of_another_version(void **)
{
    struct network_keys keys = fixture_keys();
    struct fixture_node node = fixture_node(1);
    struct record record = fixture_record(&node);
    struct encoded encoded = encode(&keys, &node, &record);
    struct record decoded;
    encoded.bytes[1] = 9;
    assert_int_equal(decode(&keys, &encoded, &decoded), ERR_VERSION);
    encoded.bytes[1] = VALUE_INTENT;
    assert_int_equal(decode(&keys, &encoded, &decoded), ERR_VERSION);
    encoded.bytes[1] = VALUE_RECORD;
    encoded.bytes[0]--;
    assert_int_equal(decode(&keys, &encoded, &decoded), ERR_MALFORMED);
    encoded.bytes[0] = 0xdc;
    assert_int_equal(decode(&keys, &encoded, &decoded), ERR_NOT_CANONICAL);
}

// Offsets of the golden record: array and form, three keys of 34 bytes, sequence, boot.
enum {
    TOKEN_AT = 2,
    NODE_KEY_AT = TOKEN_AT + 34,
    WG_KEY_AT = NODE_KEY_AT + 34,
    SEQUENCE_AT = WG_KEY_AT + 34,
    BOOT_AT = SEQUENCE_AT + 9,
    NOT_AFTER_AT = BOOT_AT + 9,
    NAT_CLASS_AT = NOT_AFTER_AT + 5,
    FLAGS_AT = NAT_CLASS_AT + 1,
    CANDIDATES_AT = FLAGS_AT + 1,
    FIRST_IP_AT = CANDIDATES_AT + 3 + 2,
};

static enum status parse_with_byte(size_t at, uint8_t byte)
{
    struct network_keys keys = fixture_keys();
    struct fixture_node node = fixture_node(1);
    struct record record = fixture_record(&node);
    struct encoded encoded = encode(&keys, &node, &record);
    struct parsed_record parsed;
    assert_int_not_equal(encoded.bytes[at], byte);
    encoded.bytes[at] = byte;
    return record_parse(&keys, &encoded.at, span_of_encoded(&encoded), &parsed);
}

static void each_field_has_its_range(void **)
{
    assert_int_equal(parse_with_byte(TOKEN_AT, 0xa4), ERR_MALFORMED); // text, not binary
    assert_int_equal(parse_with_byte(TOKEN_AT + 1, 31), ERR_RANGE);
    assert_int_equal(parse_with_byte(SEQUENCE_AT + 1, 0x7f), OK); // any sequence parses
    assert_int_equal(parse_with_byte(NOT_AFTER_AT, 0xd2), ERR_NOT_CANONICAL);
    assert_int_equal(parse_with_byte(NAT_CLASS_AT, NAT_BLOCKED + 1), ERR_RANGE);
    assert_int_equal(parse_with_byte(FLAGS_AT, 0x7f), OK);        // unknown flags mean nothing
    assert_int_equal(parse_with_byte(FLAGS_AT, 0xcc), ERR_RANGE); // 0x94 follows: over 0x7f
    assert_int_equal(parse_with_byte(CANDIDATES_AT, 0x99), ERR_RANGE);
    assert_int_equal(parse_with_byte(CANDIDATES_AT + 1, 0x92), ERR_MALFORMED);
    assert_int_equal(parse_with_byte(CANDIDATES_AT + 2, 5), ERR_RANGE);
    assert_int_equal(parse_with_byte(FIRST_IP_AT, 0xff), ERR_RANGE); // multicast
}

// Replaces one byte by several, as a node could that signs another encoding of its own record.
static enum status parse_widened(size_t at, const char *bytes, size_t size)
{
    struct network_keys keys = fixture_keys();
    struct fixture_node node = fixture_node(1);
    struct record record = fixture_record(&node);
    struct encoded encoded = encode(&keys, &node, &record);
    struct parsed_record parsed;
    memmove(encoded.bytes + at + size, encoded.bytes + at + 1, encoded.size - at - 1);
    memcpy(encoded.bytes + at, bytes, size);
    encoded.size += size - 1;
    return record_parse(&keys, &encoded.at, span_of_encoded(&encoded), &parsed);
}

static void wider_encodings_are_refused(void **)
{
    assert_int_equal(parse_widened(0, "\xdc\x00\x0c", 3), ERR_NOT_CANONICAL);
    assert_int_equal(parse_widened(TOKEN_AT, "\xc5\x00", 2), ERR_NOT_CANONICAL);
    assert_int_equal(parse_widened(NODE_KEY_AT, "\xc6\x00\x00\x00", 4), ERR_NOT_CANONICAL);
    assert_int_equal(parse_widened(NOT_AFTER_AT, "\xcf\x00\x00\x00\x00", 5), ERR_NOT_CANONICAL);
    assert_int_equal(parse_widened(NAT_CLASS_AT, "\xcc\x02", 2), ERR_NOT_CANONICAL);
    assert_int_equal(parse_widened(FLAGS_AT, "\xcd\x00\x02", 3), ERR_NOT_CANONICAL);
    assert_int_equal(parse_widened(FLAGS_AT, "\xd0\x02", 2), ERR_NOT_CANONICAL);
    assert_int_equal(parse_widened(CANDIDATES_AT, "\xdc\x00\x04", 3), ERR_NOT_CANONICAL);
    assert_int_equal(parse_widened(CANDIDATES_AT, "\x94\xc0", 2), ERR_MALFORMED);
}

static enum status encode_status(const struct record *record)
{
    struct network_keys keys = fixture_keys();
    struct fixture_node node = fixture_node(1);
    uint8_t bytes[RECORD_MAX_SIZE];
    size_t size;
    return record_encode(&keys, &node.secret, record, bytes, &size);
}

static void the_encoder_refuses_what_the_decoder_would(void **)
{
    struct fixture_node node = fixture_node(1);
    struct fixture_node other = fixture_node(2);
    const struct record good = fixture_record(&node);
    struct record bad = good;
    assert_int_equal(encode_status(&good), OK);
    bad.delegation.token = token_id_of_u64(8);
    assert_int_equal(encode_status(&bad), ERR_RANGE);
    bad = fixture_record(&other); // not the secret's key
    assert_int_equal(encode_status(&bad), ERR_RANGE);
    bad = good;
    memset(&bad.wg_key, 0, sizeof bad.wg_key);
    assert_int_equal(encode_status(&bad), ERR_RANGE);
    bad = good;
    bad.flags = 0x80;
    assert_int_equal(encode_status(&bad), ERR_RANGE);
    bad = good;
    bad.delegation.signature_size = 64;
    assert_int_equal(encode_status(&bad), ERR_RANGE);
    bad = good;
    bad.delegation.kind = DELEGATION_EIP1271_HASHED;
    bad.delegation.signature_size = 32;
    bad.delegation.hashed_size = DELEGATION_SIGNATURE_MAX; // would fit inline
    assert_int_equal(encode_status(&bad), ERR_RANGE);
    bad = good;
    bad.delegation.not_before_s = bad.delegation.not_after_s + 1;
    assert_int_equal(encode_status(&bad), ERR_RANGE);
    bad = fixture_tombstone(); // is not signed by a node
    assert_int_equal(encode_status(&bad), ERR_RANGE);
}

static enum status encode_with_candidate(struct candidate candidate)
{
    struct fixture_node node = fixture_node(1);
    struct record record = fixture_record(&node);
    record.candidates = (struct candidates){.list = {candidate}, .count = 1};
    return encode_status(&record);
}

static void candidates_must_be_of_use(void **)
{
    assert_int_equal(encode_with_candidate(fixture_candidate_ipv4(1, 1)), OK);
    assert_int_equal(encode_with_candidate(fixture_candidate_ipv4(1, 0)), ERR_RANGE);
    struct candidate candidate = fixture_candidate_ipv4(1, 51820);
    candidate.address = address_of_ipv4(127, 0, 0, 1, 51820);
    assert_int_equal(encode_with_candidate(candidate), ERR_RANGE);
    candidate.address = address_of_ipv4(169, 254, 169, 254, 51820);
    assert_int_equal(encode_with_candidate(candidate), ERR_RANGE);
    candidate.address = (struct address){0};
    assert_int_equal(encode_with_candidate(candidate), ERR_RANGE);
    candidate.address = address_of_ipv4(10, 1, 2, 3, 51820);
    assert_int_equal(encode_with_candidate(candidate), OK);
    static const char *const names[] = {"localhost", "a..b", ".a.b", "a.b.", "-a.b", "a-.b", "a.b-",
        "A.b", "a b.c", "1.2.3.4", "example.0x7f", "a_b.c",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(encode_with_candidate(fixture_candidate_name(names[i])), ERR_RANGE);
    }
    assert_int_equal(encode_with_candidate(fixture_candidate_name("x-1.dstack.example")), OK);
    candidate = fixture_candidate_name("a.example");
    candidate.port = 0;
    assert_int_equal(encode_with_candidate(candidate), ERR_RANGE);
}

// Two host names, or more bytes than the limit, cannot come from our encoder.
static void candidate_lists_are_bounded(void **)
{
    struct candidates list = {.count = 2};
    list.list[0] = fixture_candidate_name("a.example.org");
    list.list[1] = fixture_candidate_name("b.example.org");
    uint8_t bytes[400];
    struct writer writer = writer_of(bytes, sizeof bytes);
    pack_candidates(&writer, &list);
    assert_int_equal(writer_finish(&writer), OK);
    struct reader reader = reader_of(writer_written(&writer));
    struct candidates decoded;
    unpack_candidates(&reader, RECORD_CANDIDATES_MAX_SIZE + 1, &decoded);
    assert_int_equal(reader_finish(&reader), ERR_RANGE);

    list = (struct candidates){.count = 7};
    for (size_t i = 0; i < list.count; i++) {
        list.list[i] = fixture_candidate_ipv6((uint8_t)i, 51820);
    }
    writer = writer_of(bytes, sizeof bytes);
    pack_candidates(&writer, &list);
    reader = reader_of(writer_written(&writer));
    unpack_candidates(&reader, RECORD_CANDIDATES_MAX_SIZE + 1, &decoded);
    assert_int_equal(reader_finish(&reader), ERR_RANGE);
    reader = reader_of(writer_written(&writer));
    unpack_candidates(&reader, 1 + 7 * 23, &decoded);
    assert_int_equal(reader_finish(&reader), OK);
}

static void validity_is_judged_by_the_clock(void **)
{
    struct fixture_node node = fixture_node(1);
    struct record record = fixture_record(&node);
    struct unix_time now = fixture_unix_time();
    assert_int_equal(record_check_time(&record, now), OK);
    record.not_after_s++;
    assert_int_equal(record_check_time(&record, now), ERR_FUTURE);
    record.not_after_s = FIXTURE_TIME_S;
    assert_int_equal(record_check_time(&record, now), ERR_EXPIRED);
    record.not_after_s = UINT64_MAX;
    assert_int_equal(record_check_time(&record, now), ERR_FUTURE);
    struct record tombstone = fixture_tombstone();
    assert_int_equal(record_check_time(&tombstone, now), OK);

    struct delegation *delegation = &record.delegation;
    assert_int_equal(record_check_delegation_time(&record, now), OK);
    delegation->not_after_s = FIXTURE_TIME_S - 1;
    assert_int_equal(record_check_delegation_time(&record, now), ERR_EXPIRED);
    delegation->not_after_s = UINT64_MAX;
    delegation->not_before_s = FIXTURE_TIME_S + 1;
    assert_int_equal(record_check_delegation_time(&record, now), ERR_FUTURE);
    delegation->not_before_s = FIXTURE_TIME_S;
    delegation->epoch_s = FIXTURE_TIME_S + DELEGATION_EPOCH_AHEAD_MAX_S;
    assert_int_equal(record_check_delegation_time(&record, now), OK);
    delegation->epoch_s++;
    assert_int_equal(record_check_delegation_time(&record, now), ERR_FUTURE);
}

static void claims_to_a_seat_are_ordered(void **)
{
    struct fixture_node a_node = fixture_node(1);
    struct fixture_node b_node = fixture_node(2);
    bool a_smaller = node_key_compare(&a_node.key, &b_node.key) < 0;
    struct record small = fixture_record(a_smaller ? &a_node : &b_node);
    struct record great = fixture_record(a_smaller ? &b_node : &a_node);
    assert_true(record_outranks(&small, &great)); // the smaller key, whatever the sequence
    great.sequence++;
    assert_true(record_outranks(&small, &great) && !record_outranks(&great, &small));
    great.delegation.epoch_s++;
    assert_true(record_outranks(&great, &small) && !record_outranks(&small, &great));

    struct record tombstone = fixture_tombstone();
    assert_true(record_outranks(&tombstone, &small)); // of the same epoch
    assert_false(record_outranks(&tombstone, &great));

    struct record newer = small;
    assert_false(record_outranks(&newer, &small));
    newer.sequence++;
    assert_true(record_outranks(&newer, &small) && !record_outranks(&small, &newer));
}

static void a_node_knows_when_it_is_displaced(void **)
{
    struct fixture_node node = fixture_node(1);
    struct fixture_node other = fixture_node(2);
    struct record own = fixture_record(&node);
    struct record seen = own;
    assert_false(record_displaces(&seen, &own));
    seen.sequence++; // from a later run whose state was lost: still this boot
    assert_false(record_displaces(&seen, &own));
    seen.boot++;
    assert_true(record_displaces(&seen, &own)); // a clone
    seen.sequence = own.sequence - 1;
    assert_false(record_displaces(&seen, &own)); // the clone is behind
    seen = fixture_record(&other);
    seen.delegation.epoch_s++;
    assert_true(record_displaces(&seen, &own));
    seen.delegation.epoch_s -= 2;
    assert_false(record_displaces(&seen, &own));
    struct record tombstone = fixture_tombstone();
    assert_true(record_displaces(&tombstone, &own));
}

static void sequences_only_grow(void **)
{
    struct unix_time now = {.ms = 1000};
    assert_int_equal(record_next_sequence(now, 0, 0), 1000);
    assert_int_equal(record_next_sequence(now, 1000, 0), 1001);
    assert_int_equal(record_next_sequence(now, 1500, 2000), 2001);
    assert_true(record_next_sequence(now, UINT64_MAX, 0) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_round_trip),
        cmocka_unit_test(every_delegation_kind_round_trips),
        cmocka_unit_test(the_largest_record_fits),
        cmocka_unit_test(candidates_give_way_by_priority),
        cmocka_unit_test(truncations_and_additions_are_refused),
        cmocka_unit_test(no_flipped_bit_is_accepted),
        cmocka_unit_test(other_places_and_networks_are_refused),
        cmocka_unit_test(other_forms_are_of_another_version),
        cmocka_unit_test(each_field_has_its_range),
        cmocka_unit_test(wider_encodings_are_refused),
        cmocka_unit_test(the_encoder_refuses_what_the_decoder_would),
        cmocka_unit_test(candidates_must_be_of_use),
        cmocka_unit_test(candidate_lists_are_bounded),
        cmocka_unit_test(validity_is_judged_by_the_clock),
        cmocka_unit_test(claims_to_a_seat_are_ordered),
        cmocka_unit_test(a_node_knows_when_it_is_displaced),
        cmocka_unit_test(sequences_only_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

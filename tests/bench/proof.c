// SPDX-License-Identifier: GPL-3.0-or-later
//
// What it costs to verify the owner of a token by proof, beside what every admission costs anyway:
// the recovery of one secp256k1 signature. Prints figures; asserts nothing about time.
//
//     proof slots TOKENS SAMPLES     # where DeedmeshSeat has the owners, one slot a line
//     proof verify FILE              # lines of {"block": ..., "proof": ...}, as a node gave them
#include "chain/proof.h"
#include "base/text.h"
#include "chain/chain.h"
#include "chain/header.h"
#include "chain/rpc_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    LINE_MAX_SIZE = 1 << 17,
    SAMPLES_MAX = 1024,
    ROUNDS = 9, // all measures alternate, so that a busy machine slows all
    PASSES = 5,
    OWNERS_SLOT = 2, // OpenZeppelin's _owners, where ERC721 comes first
};

struct sample {
    char *text;
    size_t size;
    json_t *root;
    struct eth_address address;
    struct storage_slot slot;
    size_t nodes;
    size_t node_bytes;
};

static struct sample samples[SAMPLES_MAX];
static size_t sample_count;

static void stop(const char *what)
{
    (void)fprintf(stderr, "proof: %s\n", what);
    exit(1);
}

static double seconds(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) != 0) {
        stop("no processor clock");
    }
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void print_slots(uint64_t tokens, uint64_t count)
{
    struct storage_slot mapping = storage_slot_of_u64(OWNERS_SLOT);
    for (uint64_t i = 0; i < count; i++) {
        struct token_id token = token_id_of_u64(1 + i * (tokens - 1) / count);
        struct storage_slot slot = storage_slot_of_token(&token, &mapping);
        char text[2 * sizeof slot.bytes + 1];
        hex_format(span_of(slot.bytes, sizeof slot.bytes), text);
        printf("0x%s\n", text);
    }
}

static void count_nodes(const json_t *list, struct sample *sample)
{
    sample->nodes += json_array_size(list);
    for (size_t i = 0; i < json_array_size(list); i++) {
        sample->node_bytes += json_string_length(json_array_get(list, i)) / 2 - 1;
    }
}

static json_t *parse(const struct sample *sample)
{
    json_t *root = json_loadb(sample->text, sample->size, JSON_REJECT_DUPLICATES, NULL);
    if (root == NULL) {
        stop("a line is not JSON");
    }
    return root;
}

static void verify(const struct sample *sample)
{
    struct header header;
    struct proof_account account;
    struct proof_slot slot;
    if (header_read(json_object_get(sample->root, "block"), &header) != OK) {
        stop("a header does not verify");
    }
    if (proof_verify(json_object_get(sample->root, "proof"), &header.state_root, &sample->address,
            &sample->slot, 1, &account, &slot) != OK ||
        slot.presence != PROOF_PRESENT) {
        stop("a proof does not verify");
    }
}

static void add_sample(const char *line)
{
    struct sample *sample = &samples[sample_count++];
    sample->text = strdup(line);
    if (sample->text == NULL) {
        stop("no memory");
    }
    sample->size = strlen(line);
    sample->root = parse(sample);
    const json_t *proof = json_object_get(sample->root, "proof");
    const json_t *entry = json_array_get(json_object_get(proof, "storageProof"), 0);
    if (rpc_value_fixed(json_object_get(proof, "address"), sample->address.bytes,
            sizeof sample->address.bytes) != OK ||
        rpc_value_fixed(
            json_object_get(entry, "key"), sample->slot.bytes, sizeof sample->slot.bytes) != OK) {
        stop("a line is no proof");
    }
    count_nodes(json_object_get(proof, "accountProof"), sample);
    count_nodes(json_object_get(entry, "proof"), sample);
}

static void read_samples(const char *path)
{
    static char line[LINE_MAX_SIZE];
    FILE *stream = fopen(path, "re");
    if (stream == NULL) {
        stop("the file cannot be read");
    }
    while (sample_count < SAMPLES_MAX && fgets(line, sizeof line, stream) != NULL) {
        add_sample(line);
    }
    (void)fclose(stream);
    if (sample_count == 0) {
        stop("the file is empty");
    }
}

static double time_parse(void)
{
    double start = seconds();
    for (size_t i = 0; i < sample_count * PASSES; i++) {
        json_decref(parse(&samples[i % sample_count]));
    }
    return seconds() - start;
}

static double time_headers(void)
{
    double start = seconds();
    for (size_t i = 0; i < sample_count * PASSES; i++) {
        struct header header;
        if (header_read(json_object_get(samples[i % sample_count].root, "block"), &header) != OK) {
            stop("a header does not verify");
        }
    }
    return seconds() - start;
}

static double time_verify(void)
{
    double start = seconds();
    for (size_t i = 0; i < sample_count * PASSES; i++) {
        verify(&samples[i % sample_count]);
    }
    return seconds() - start;
}

static double time_recover(void)
{
    struct hash256 digest = keccak256(span_of_text("deed"));
    struct eth_secret secret = {{1}};
    uint8_t signature[ECDSA_SIGNATURE_SIZE];
    if (ecdsa_sign(&digest, &secret, signature) != OK) {
        stop("cannot sign");
    }
    double start = seconds();
    for (size_t i = 0; i < sample_count * PASSES; i++) {
        struct eth_address signer;
        if (ecdsa_recover(&digest, span_of(signature, sizeof signature), &signer) != OK) {
            stop("a signature does not recover");
        }
    }
    return seconds() - start;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

// Microseconds of one, by the median of all rounds.
static double median_us(double *rounds)
{
    qsort(rounds, ROUNDS, sizeof *rounds, compare);
    return rounds[ROUNDS / 2] / ((double)sample_count * PASSES) * 1e6;
}

static void print_figures(void)
{
    double parsed[ROUNDS];
    double headers[ROUNDS];
    double verified[ROUNDS];
    double recovered[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        recovered[i] = time_recover();
        parsed[i] = time_parse();
        headers[i] = time_headers();
        verified[i] = time_verify();
    }
    size_t nodes = 0;
    size_t node_bytes = 0;
    size_t bytes = 0;
    for (size_t i = 0; i < sample_count; i++) {
        nodes += samples[i].nodes;
        node_bytes += samples[i].node_bytes;
        bytes += samples[i].size;
    }
    double header_us = median_us(headers);
    double proof_us = median_us(verified) - header_us;
    double recover_us = median_us(recovered);
    double count = (double)sample_count;
    printf("%zu proofs: header %.1f us, account and slot %.1f us, JSON of both %.1f us; "
           "%.1f nodes, %.0f bytes (%.0f as JSON with the block)\n",
        sample_count, header_us, proof_us, median_us(parsed), (double)nodes / count,
        (double)node_bytes / count, (double)bytes / count);
    printf("beside one secp256k1 recovery, %.1f us: header and proof %.2f of it\n", recover_us,
        (header_us + proof_us) / recover_us);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "slots") == 0) {
        uint64_t tokens = 0;
        uint64_t count = 0;
        if (decimal_parse(span_of_text(argv[2]), UINT32_MAX, &tokens) != OK ||
            decimal_parse(span_of_text(argv[3]), SAMPLES_MAX, &count) != OK || tokens == 0) {
            stop("TOKENS and SAMPLES are numbers, up to 1,024 samples");
        }
        print_slots(tokens, count);
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "verify") == 0) {
        read_samples(argv[2]);
        print_figures();
        return 0;
    }
    (void)fprintf(stderr, "usage: proof slots TOKENS SAMPLES | proof verify FILE\n");
    return 2;
}

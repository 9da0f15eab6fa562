// SPDX-License-Identifier: GPL-3.0-or-later
#include "nat/reflector.h"

void reflector_init(struct reflector *reflector)
{
    *reflector = (struct reflector){0};
    const struct budget_rate rate = {
        .per_second = REFLECTOR_PREFIX_PER_SECOND,
        .burst = REFLECTOR_PREFIX_BURST,
    };
    prefix_budgets_init(&reflector->prefixes, rate, reflector->entries, REFLECTOR_PREFIXES);
}

static enum status encode_answer(const struct address *from, const struct stun_message *request,
    struct span manifest, struct writer *writer)
{
    if (request->method == STUN_MANIFEST) {
        if (manifest.size == 0) {
            return ERR_NOT_FOUND;
        }
        return stun_encode_manifest_success(writer, &request->transaction, manifest);
    }
    if (request->unknown_count > 0) {
        return stun_encode_binding_error(writer, &request->transaction,
            STUN_ERROR_UNKNOWN_ATTRIBUTE, request->unknown, request->unknown_count);
    }
    return stun_encode_binding_success(writer, &request->transaction, from);
}

enum status reflector_answer(struct reflector *reflector, struct mono now,
    const struct address *from, const struct stun_message *request, struct span manifest,
    struct writer *writer)
{
    ASSERT(writer->size == 0);
    if (request->kind != STUN_REQUEST || request->has_mac || request->method == STUN_INTENT ||
        !address_is_set(from)) {
        return ERR_UNSUPPORTED;
    }
    uint8_t bytes[STUN_MESSAGE_MAX];
    struct writer answer = writer_of(bytes, sizeof bytes);
    enum status status = encode_answer(from, request, manifest, &answer);
    if (status != OK) {
        return status;
    }
    if (answer.size > request->size) {
        return ERR_TRUNCATED;
    }
    const struct budget_rate total = {
        .per_second = REFLECTOR_TOTAL_PER_SECOND,
        .burst = REFLECTOR_TOTAL_BURST,
    };
    // The prefix first: a flood from one network must not spend what belongs to all.
    if (!prefix_budgets_take(&reflector->prefixes, from, now, 1) ||
        !budget_take(&reflector->total, &total, now, 1)) {
        return ERR_RATE;
    }
    write_span(writer, writer_written(&answer));
    return writer_finish(writer);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The model chain's blocks and storage, for providers that prove, or lie while they do.
#pragma once

#include "tests/unit/chain/model.h"

#include <jansson.h>

uint64_t model_block_time_s(const struct model *model, uint64_t block);
struct eth_address model_owner_at(const struct model_token *token, uint64_t block);

// What the provider gives for eth_getBlockByNumber: a new reference.
json_t *model_block_json(
    const struct model *model, const struct model_provider *provider, uint64_t block);

// What it gives for eth_getProof(params) at its newest block `head`: a new reference.
json_t *model_proof_json(const struct model *model, const struct model_provider *provider,
    json_t *params, uint64_t head);

// The block with that hash, at or a little before `head`; UINT64_MAX if there is none.
uint64_t model_block_of_hash(const struct model *model, const uint8_t hash[32], uint64_t head);

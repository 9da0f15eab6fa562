// SPDX-License-Identifier: GPL-3.0-or-later
//
// For rpc_proxy, so that it can forge blocks whose hash is right: keccak256 as Ethereum pads it,
// and the RLP of a header. Slow and plain on purpose.
"use strict";

const MASK = (1n << 64n) - 1n;
const rotate = (x, n) => ((x << BigInt(n)) | (x >> BigInt(64 - n))) & MASK;

function permute(a) {
    let lfsr = 1;
    for (let round = 0; round < 24; round++) {
        const c = [0, 1, 2, 3, 4].map((x) => a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20]);
        for (let i = 0; i < 25; i++) {
            a[i] ^= c[(i + 4) % 5] ^ rotate(c[(i + 1) % 5], 1);
        }
        let [x, y] = [1, 0];
        let current = a[1];
        for (let t = 0; t < 24; t++) {
            [x, y] = [y, (2 * x + 3 * y) % 5];
            [current, a[x + 5 * y]] = [a[x + 5 * y], rotate(current, ((t + 1) * (t + 2) / 2) % 64)];
        }
        for (let row = 0; row < 25; row += 5) {
            const b = a.slice(row, row + 5);
            for (let i = 0; i < 5; i++) {
                a[row + i] = b[i] ^ (~b[(i + 1) % 5] & MASK & b[(i + 2) % 5]);
            }
        }
        for (let j = 0; j < 7; j++) {
            if (lfsr & 1) {
                a[0] ^= 1n << BigInt((1 << j) - 1);
            }
            lfsr = (lfsr << 1) ^ (lfsr & 0x80 ? 0x171 : 0);
        }
    }
}

function keccak256(bytes) {
    const RATE = 136;
    const padded = Buffer.alloc((Math.floor(bytes.length / RATE) + 1) * RATE);
    bytes.copy(padded);
    padded[bytes.length] = 1;
    padded[padded.length - 1] |= 0x80;
    const state = Array(25).fill(0n);
    for (let at = 0; at < padded.length; at += RATE) {
        for (let i = 0; i < RATE / 8; i++) {
            state[i] ^= padded.readBigUInt64LE(at + i * 8);
        }
        permute(state);
    }
    const digest = Buffer.alloc(32);
    state.slice(0, 4).forEach((word, i) => digest.writeBigUInt64LE(word, i * 8));
    return digest;
}

const FIXED = ["parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot",
    "logsBloom"];
const NUMBERS = ["difficulty", "number", "gasLimit", "gasUsed", "timestamp"];
const ORDER = [...FIXED, ...NUMBERS, "extraData", "mixHash", "nonce", "baseFeePerGas",
    "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash"];
const IS_NUMBER = [...NUMBERS, "baseFeePerGas", "blobGasUsed", "excessBlobGas"];

function head(size, offset) {
    if (size < 56) {
        return Buffer.from([offset + size]);
    }
    const hex = size.toString(16);
    const length = Buffer.from(hex.length % 2 ? "0" + hex : hex, "hex");
    return Buffer.concat([Buffer.from([offset + 55 + length.length]), length]);
}

function field(block, name) {
    let hex = block[name].slice(2);
    if (IS_NUMBER.includes(name)) {
        hex = hex.replace(/^0+/, "");
    }
    const bytes = Buffer.from(hex.length % 2 ? "0" + hex : hex, "hex");
    return bytes.length === 1 && bytes[0] < 0x80 ? bytes
        : Buffer.concat([head(bytes.length, 0x80), bytes]);
}

// The hash that a block of these fields has.
function headerHash(block) {
    const items = Buffer.concat(ORDER.filter((name) => block[name] !== undefined)
        .map((name) => field(block, name)));
    return "0x" + keccak256(Buffer.concat([head(items.length, 0xc0), items])).toString("hex");
}

module.exports = { keccak256, headerHash };

// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// A contract wallet of several owners (EIP-1271), of whom `threshold` must sign. A signature is
/// those of that many owners or more, 65 bytes each, one behind the other in ascending order of
/// their addresses, so that none counts twice.
contract TestSafe {
    bytes4 private constant MAGIC = 0x1626ba7e;
    uint256 private constant SIZE = 65;

    mapping(address => bool) public isOwner;
    uint256 public threshold;

    /// The first owner, alone: the others follow.
    constructor(address owner) {
        isOwner[owner] = true;
        threshold = 1;
    }

    /// Anybody may: it is a test's.
    function setOwner(address owner, bool on) external {
        isOwner[owner] = on;
    }

    function setThreshold(uint256 count) external {
        require(count > 0, "at least one");
        threshold = count;
    }

    /// As its owners would have it do anything.
    function execute(address target, bytes calldata data) external returns (bytes memory) {
        (bool success, bytes memory returned) = target.call(data);
        require(success, "call failed");
        return returned;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature)
        external
        view
        returns (bytes4)
    {
        uint256 count = signature.length / SIZE;
        if (count < threshold || signature.length % SIZE != 0) return 0xffffffff;
        address last = address(0);
        for (uint256 i = 0; i < count; i++) {
            bytes calldata one = signature[i * SIZE:(i + 1) * SIZE];
            (address signer, ECDSA.RecoverError failure,) = ECDSA.tryRecover(hash, one);
            bool good = failure == ECDSA.RecoverError.NoError && isOwner[signer] && signer > last;
            if (!good) return 0xffffffff;
            last = signer;
        }
        return MAGIC;
    }
}

// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// A contract wallet (EIP-1271) of one signer, which can be told to answer badly.
contract TestWallet {
    enum Mode {
        Honest,
        BurnGas,
        ReturnMegabyte,
        Revert,
        WrongMagic,
        ReturnShort, // the 4 bytes of the magic value alone
        ReturnDirty // the magic value with bits behind it
    }

    address private _signer;
    Mode private _mode;

    constructor(address signer) {
        _signer = signer;
    }

    function setSigner(address signer) external {
        _signer = signer;
    }

    function setMode(Mode mode) external {
        _mode = mode;
    }

    /// Anybody may make the wallet do anything: it is a test's.
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
        Mode mode = _mode;
        assembly {
            switch mode
            case 1 { invalid() }
            case 2 { return(0, 0x100000) }
            case 3 { revert(0, 0) }
            case 5 {
                mstore(0, shl(224, 0x1626ba7e))
                return(0, 4)
            }
            case 6 {
                mstore(0, or(shl(224, 0x1626ba7e), 1))
                return(0, 32)
            }
        }
        if (mode == Mode.WrongMagic) return 0xffffffff;
        (address recovered, ECDSA.RecoverError failure,) = ECDSA.tryRecover(hash, signature);
        bool good = failure == ECDSA.RecoverError.NoError && recovered == _signer;
        return good ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
    }
}

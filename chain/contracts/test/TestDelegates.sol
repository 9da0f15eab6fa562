// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.30;

/// A registry of delegates with the part of delegate.xyz's interface (version 2) that Deedmesh
/// calls, and the calls by which an owner delegates. A delegation of all rights (0) covers every
/// right; one of everything covers every contract, one of a contract every token of it.
contract TestDelegates {
    mapping(bytes32 => bool) private _delegated;

    function delegateAll(address to, bytes32 rights, bool enable)
        external
        payable
        returns (bytes32 key)
    {
        key = _key(to, msg.sender, address(0), 0, false, rights);
        _delegated[key] = enable;
    }

    function delegateContract(address to, address contract_, bytes32 rights, bool enable)
        external
        payable
        returns (bytes32 key)
    {
        key = _key(to, msg.sender, contract_, 0, false, rights);
        _delegated[key] = enable;
    }

    function delegateERC721(
        address to,
        address contract_,
        uint256 tokenId,
        bytes32 rights,
        bool enable
    ) external payable returns (bytes32 key) {
        key = _key(to, msg.sender, contract_, tokenId, true, rights);
        _delegated[key] = enable;
    }

    function checkDelegateForERC721(
        address to,
        address from,
        address contract_,
        uint256 tokenId,
        bytes32 rights
    ) external view returns (bool) {
        return _covers(to, from, contract_, tokenId, 0)
            || (rights != 0 && _covers(to, from, contract_, tokenId, rights));
    }

    function _covers(
        address to,
        address from,
        address contract_,
        uint256 tokenId,
        bytes32 rights
    ) private view returns (bool) {
        return _delegated[_key(to, from, address(0), 0, false, rights)]
            || _delegated[_key(to, from, contract_, 0, false, rights)]
            || _delegated[_key(to, from, contract_, tokenId, true, rights)];
    }

    function _key(
        address to,
        address from,
        address contract_,
        uint256 tokenId,
        bool ofToken,
        bytes32 rights
    ) private pure returns (bytes32) {
        return keccak256(abi.encode(to, from, contract_, tokenId, ofToken, rights));
    }
}

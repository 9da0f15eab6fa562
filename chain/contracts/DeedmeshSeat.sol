// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.30;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC721Enumerable} from
    "@openzeppelin/contracts/token/ERC721/extensions/ERC721Enumerable.sol";
import {ERC721URIStorage} from
    "@openzeppelin/contracts/token/ERC721/extensions/ERC721URIStorage.sol";

/// What a Deedmesh node reads and its owner calls: the interface of the deployed DstackAccessNFT.
/// Beware: the struct's order and getNodeAccess' order differ, here as there.
interface INodeAccess {
    struct DstackNodeAccess {
        string wireguardPublicKey;
        string nodeId;
        uint256 createdAt;
        bool isActive;
    }

    event NodeAccessGranted(
        uint256 indexed tokenId, string nodeId, address indexed owner, string wireguardPublicKey
    );
    event NodeAccessRevoked(uint256 indexed tokenId, string nodeId);
    event NodeAccessTransferred(
        uint256 indexed tokenId, address indexed from, address indexed to
    );
    event PublicKeyUpdated(address indexed owner, string key);
    event OwnershipTransferInitiated(address indexed previousOwner, address indexed newOwner);

    function mintNodeAccess(
        address to,
        string calldata nodeId,
        string calldata wireguardPublicKey,
        string calldata uri
    ) external returns (uint256 tokenId);
    function revokeNodeAccess(uint256 tokenId) external;
    function transferContractOwnership(address newOwner) external;

    function getNodeAccess(uint256 tokenId)
        external
        view
        returns (
            string memory nodeId,
            string memory wireguardPublicKey,
            uint256 createdAt,
            bool isActive
        );
    function hasNodeAccess(address account, string calldata nodeId) external view returns (bool);
    function verifyAccess(address account, string calldata nodeId) external view returns (bool);
    function getTokenIdByNodeId(string calldata nodeId) external view returns (uint256);
    function getPublicKeyByOwner(address account) external view returns (string memory);
    function getPublicKeyByTokenId(uint256 tokenId) external view returns (string memory);
}

/// Seats of a network. A token is a seat; whoever holds it may put one node in it.
///
/// - Ids count up from 1. The contract's owner mints and revokes.
/// - Revoking does not burn: the token keeps its holder, only isActive falls, for good. A reader
///   that asks ownerOf alone misses it.
/// - A transfer clears the stored WireGuard key: it never leaves a seller in, and the new holder
///   needs no transaction to put a node in.
/// - There are no immutables and no proxy: every deployment has the same code hash.
contract DeedmeshSeat is INodeAccess, ERC721Enumerable, ERC721URIStorage {
    uint256 private constant NODE_ID_MAX = 255; // bytes
    uint256 private constant KEY_SIZE = 44; // base64 of 32 bytes

    error NotContractOwner(address account);
    error NotTokenOwner(address account, uint256 tokenId);
    error NodeIdTaken(uint256 tokenId);
    error NodeIdSize(uint256 size);
    error PublicKeySize(uint256 size);
    error NotActive(uint256 tokenId);

    address private _contractOwner;
    address private _pendingContractOwner;
    uint256 private _lastTokenId;
    mapping(uint256 tokenId => DstackNodeAccess) private _access;
    mapping(string nodeId => uint256 tokenId) private _tokenOfNodeId;

    modifier onlyContractOwner() {
        if (msg.sender != _contractOwner) revert NotContractOwner(msg.sender);
        _;
    }

    constructor() ERC721("Deedmesh Seat", "SEAT") {
        _contractOwner = msg.sender;
    }

    /// The key may be empty: then readers check none, and the holder's signed delegation alone says
    /// which node sits here.
    function mintNodeAccess(
        address to,
        string calldata nodeId,
        string calldata wireguardPublicKey,
        string calldata uri
    ) external onlyContractOwner returns (uint256 tokenId) {
        uint256 size = bytes(nodeId).length;
        if (size == 0 || size > NODE_ID_MAX) revert NodeIdSize(size);
        if (_tokenOfNodeId[nodeId] != 0) revert NodeIdTaken(_tokenOfNodeId[nodeId]);
        _checkKey(wireguardPublicKey);

        tokenId = ++_lastTokenId;
        _tokenOfNodeId[nodeId] = tokenId;
        _access[tokenId] = DstackNodeAccess({
            wireguardPublicKey: wireguardPublicKey,
            nodeId: nodeId,
            createdAt: block.timestamp,
            isActive: true
        });
        _mint(to, tokenId);
        _setTokenURI(tokenId, uri);
        emit NodeAccessGranted(tokenId, nodeId, to, wireguardPublicKey);
    }

    function revokeNodeAccess(uint256 tokenId) external onlyContractOwner {
        _requireOwned(tokenId);
        if (!_access[tokenId].isActive) revert NotActive(tokenId);
        _access[tokenId].isActive = false;
        emit NodeAccessRevoked(tokenId, _access[tokenId].nodeId);
    }

    /// For the holder of an active token. An empty key clears the stored one.
    function setPublicKey(uint256 tokenId, string calldata wireguardPublicKey) external {
        if (_requireOwned(tokenId) != msg.sender) revert NotTokenOwner(msg.sender, tokenId);
        if (!_access[tokenId].isActive) revert NotActive(tokenId);
        _checkKey(wireguardPublicKey);
        _access[tokenId].wireguardPublicKey = wireguardPublicKey;
        emit PublicKeyUpdated(msg.sender, wireguardPublicKey);
    }

    /// Takes effect when `newOwner` accepts; the zero address takes an offer back.
    function transferContractOwnership(address newOwner) external onlyContractOwner {
        _pendingContractOwner = newOwner;
        emit OwnershipTransferInitiated(msg.sender, newOwner);
    }

    function acceptContractOwnership() external {
        if (msg.sender != _pendingContractOwner) revert NotContractOwner(msg.sender);
        _contractOwner = msg.sender;
        _pendingContractOwner = address(0);
    }

    /// Reverts for an id that was never minted, as ownerOf does.
    function getNodeAccess(uint256 tokenId)
        external
        view
        returns (
            string memory nodeId,
            string memory wireguardPublicKey,
            uint256 createdAt,
            bool isActive
        )
    {
        _requireOwned(tokenId);
        DstackNodeAccess storage access = _access[tokenId];
        return (access.nodeId, access.wireguardPublicKey, access.createdAt, access.isActive);
    }

    function hasNodeAccess(address account, string calldata nodeId) public view returns (bool) {
        uint256 tokenId = _tokenOfNodeId[nodeId];
        return tokenId != 0 && _access[tokenId].isActive && _ownerOf(tokenId) == account;
    }

    function verifyAccess(address account, string calldata nodeId) external view returns (bool) {
        return hasNodeAccess(account, nodeId);
    }

    /// 0 if no token has this node id.
    function getTokenIdByNodeId(string calldata nodeId) external view returns (uint256) {
        return _tokenOfNodeId[nodeId];
    }

    /// The key of the first token that `account` holds, "" if it holds none: ambiguous with two.
    function getPublicKeyByOwner(address account) external view returns (string memory) {
        if (balanceOf(account) == 0) return "";
        return _access[tokenOfOwnerByIndex(account, 0)].wireguardPublicKey;
    }

    function getPublicKeyByTokenId(uint256 tokenId) external view returns (string memory) {
        _requireOwned(tokenId);
        return _access[tokenId].wireguardPublicKey;
    }

    function tokenURI(uint256 tokenId)
        public
        view
        override(ERC721, ERC721URIStorage)
        returns (string memory)
    {
        return super.tokenURI(tokenId);
    }

    function supportsInterface(bytes4 id)
        public
        view
        override(ERC721Enumerable, ERC721URIStorage)
        returns (bool)
    {
        return super.supportsInterface(id);
    }

    function _checkKey(string calldata key) private pure {
        uint256 size = bytes(key).length;
        if (size != 0 && size != KEY_SIZE) revert PublicKeySize(size);
    }

    function _update(address to, uint256 tokenId, address auth)
        internal
        override(ERC721, ERC721Enumerable)
        returns (address from)
    {
        from = super._update(to, tokenId, auth);
        if (from != address(0) && from != to) {
            delete _access[tokenId].wireguardPublicKey;
            emit NodeAccessTransferred(tokenId, from, to);
        }
    }

    function _increaseBalance(address account, uint128 value)
        internal
        override(ERC721, ERC721Enumerable)
    {
        super._increaseBalance(account, value);
    }
}

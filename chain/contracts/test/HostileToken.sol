// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.30;

/// A token contract under somebody's full control: chosen ids misbehave, the others are plain.
/// Covers ownerOf and getNodeAccess alike.
contract HostileToken {
    enum Mode {
        Plain,
        BurnGas,
        ReturnMegabyte,
        Revert,
        RevertMegabyte,
        ReturnNothing,
        ReturnShort, // 31 bytes
        ReturnDirty // an address word with bits above the address
    }

    error ERC721NonexistentToken(uint256 tokenId);

    mapping(uint256 tokenId => address) private _owners;
    mapping(uint256 tokenId => Mode) private _modes;
    uint256 private _totalSupply;

    function mint(address to, uint256 tokenId) external {
        _owners[tokenId] = to;
    }

    function setMode(uint256 tokenId, Mode mode) external {
        _modes[tokenId] = mode;
    }

    function setTotalSupply(uint256 value) external {
        _totalSupply = value;
    }

    function totalSupply() external view returns (uint256) {
        return _totalSupply;
    }

    function tokenByIndex(uint256 index) external view returns (uint256) {
        _misbehave(index);
        return index;
    }

    function ownerOf(uint256 tokenId) external view returns (address owner) {
        _misbehave(tokenId);
        owner = _owners[tokenId];
        if (owner == address(0)) revert ERC721NonexistentToken(tokenId);
    }

    function getNodeAccess(uint256 tokenId)
        external
        view
        returns (string memory, string memory, uint256, bool)
    {
        _misbehave(tokenId);
        if (_owners[tokenId] == address(0)) revert ERC721NonexistentToken(tokenId);
        return ("hostile", "", 1, true);
    }

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == 0x01ffc9a7 || id == 0x80ac58cd || id == 0x780e9d63;
    }

    function _misbehave(uint256 tokenId) private view {
        Mode mode = _modes[tokenId];
        assembly {
            switch mode
            case 1 { invalid() }
            case 2 { return(0, 0x100000) }
            case 3 { revert(0, 0) }
            case 4 { revert(0, 0x100000) }
            case 5 { return(0, 0) }
            case 6 { return(0, 31) }
            case 7 {
                mstore(0, not(0))
                return(0, 32)
            }
        }
    }
}

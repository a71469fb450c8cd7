// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {GridbourseProxy} from "../../src/GridbourseProxy.sol";

/// @dev The cheatcodes that a symbolic run needs (halmos knows these of Foundry's).
interface SymbolicVm {
    function assume(bool condition) external;
    function store(address target, bytes32 slot, bytes32 value) external;
    function load(address target, bytes32 slot) external view returns (bytes32);
    function warp(uint256 timestamp) external;
}

/// @dev Slow enough for every contract.
contract SlowTimelock {
    function getMinDelay() external pure returns (uint256) {
        return 365 days;
    }
}

/// @title What the proofs share.
/// @dev A proof takes any storage that satisfies what the contracts keep true (the inductive invariant, assumed), does
/// one step on the real contract behind the real proxy, and asserts what the step did, and that the invariant holds again.
abstract contract Symbolic {
    SymbolicVm internal constant vm = SymbolicVm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 internal constant MAX_AMOUNT = type(uint64).max >> 1;
    address internal constant TOKEN = address(0x70cE);

    function proxyOf(address code, bytes memory initialization) internal returns (address) {
        return address(new GridbourseProxy(code, initialization));
    }

    function mappingSlot(uint256 key, uint256 slot) internal pure returns (bytes32) {
        return keccak256(abi.encode(key, slot));
    }

    function plus(bytes32 slot, uint256 offset) internal pure returns (bytes32) {
        return bytes32(uint256(slot) + offset);
    }

    /// @dev The design's floor(a x b / c). Without the compiler's check for overflows, which divides by b and makes the
    /// solver's work hard: factors of 64 bits at most cannot overflow 256.
    function floorOf(uint256 a, uint256 b, uint256 c) internal pure returns (uint256) {
        unchecked {
            return a * b / c;
        }
    }

    function put(address target, bytes32 slot, uint256 value) internal {
        vm.store(target, slot, bytes32(value));
    }

    /// @return `size` bits of a word, from bit `offset` on
    function bits(address target, bytes32 slot, uint256 offset, uint256 size) internal view returns (uint256) {
        return (uint256(vm.load(target, slot)) << (256 - offset - size)) >> (256 - size);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The part of EIP-3009 that a deposit needs.
interface IERC3009 {
    /// @notice Moves what `from` has signed for, to the caller alone: nobody can run ahead of it.
    /// @param validAfter seconds since 1970 after which the authorization holds
    /// @param validBefore seconds since 1970 before which it holds
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;
}

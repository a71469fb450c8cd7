// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What the market needs to know of providers.
interface IProviderRegistry {
    /// @notice Owner of a provider; the zero address where there is no such provider.
    function ownerOf(uint32 providerId) external view returns (address);

    /// @notice Where a provider's earnings go; the zero address where there is no such provider.
    function payoutOf(uint32 providerId) external view returns (address);
}

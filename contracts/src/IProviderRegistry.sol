// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What the other contracts need to know of providers.
interface IProviderRegistry {
    /// @notice Owner of a provider; the zero address where there is no such provider.
    function ownerOf(uint32 providerId) external view returns (address);

    /// @notice Where a provider's earnings go; the zero address where there is no such provider.
    function payoutOf(uint32 providerId) external view returns (address);

    /// @notice Both at once: whether there is such a provider, and whether it is kept from new leases.
    function standingOf(uint32 providerId) external view returns (address owner, bool suspended);
}

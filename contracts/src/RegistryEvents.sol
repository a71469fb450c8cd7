// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What the registry says, and how it refuses. Amounts are micro-USDC, times are seconds.
abstract contract RegistryEvents {
    event ProviderRegistered(
        uint32 indexed providerId, address indexed owner, address payout, bytes32 metadataHash
    );
    event PayoutChanged(uint32 indexed providerId, address payout);
    event MetadataChanged(uint32 indexed providerId, bytes32 metadataHash);
    /// @param stake what the provider has at stake now, without what thaws
    event StakeChanged(uint32 indexed providerId, address indexed owner, uint64 stake);
    event UnstakeRequested(uint32 indexed providerId, uint64 thawing, uint32 thawedAt);
    event UnstakedWithdrawn(uint32 indexed providerId, address indexed owner, uint64 amount);
    /// @param tier 1 (best) to 7
    event TierChanged(uint32 indexed providerId, uint8 tier);
    /// @param reasonHash keccak256 of the reason, kept off chain
    event SuspensionChanged(uint32 indexed providerId, bool suspended, bytes32 reasonHash);
    /// @param compensation the part of the amount that is for `tenant`; the rest is for the treasury
    /// @param evidenceHash keccak256 of the evidence, kept off chain
    event SlashProposed(
        uint32 indexed slashId,
        uint32 indexed providerId,
        address indexed tenant,
        uint64 amount,
        uint64 compensation,
        uint32 executableAt,
        bytes32 evidenceHash
    );
    event SlashCancelled(uint32 indexed slashId, uint32 indexed providerId, bytes32 reasonHash);
    /// @param taken what was slashed: no more than was proposed, than is at stake, and than the era's cap leaves
    /// @param compensated the part of it that went to the tenant
    event SlashExecuted(
        uint32 indexed slashId, uint32 indexed providerId, address indexed tenant, uint64 taken, uint64 compensated
    );
    event TreasuryChanged(address treasury);
    event CreditWithdrawn(address indexed account, uint256 amount);

    error AlreadyRegistered(address owner, uint32 providerId);
    error NotRegistered(address owner);
    error UnknownProvider(uint32 providerId);
    error InsufficientStake(uint64 stake, uint64 asked);
    error StillThawing(uint32 thawedAt);
    /// @notice All that has thawed may be owed for proposed slashes, and stays until then at the latest.
    error HeldForSlashing(uint32 heldUntil);
    error InvalidTier(uint8 tier);
    error ZeroEvidence();
    error CompensationTooHigh(uint64 compensation, uint64 amount);
    error UnknownSlash(uint32 slashId);
    error SlashNotPending(uint32 slashId);
    error StillDisputable(uint32 executableAt);
    error SlashExpired(uint32 expiredAt);
    /// @notice The provider has nothing at stake, or this era's cap is used up.
    error NothingToSlash(uint32 providerId);
    error InvalidParameter();
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What the market says, and how it refuses. Amounts are micro-USDC, rates micro-USDC per hour, times seconds.
abstract contract MarketEvents {
    event Deposited(address indexed tenant, uint64 amount);
    event Withdrawn(address indexed tenant, uint64 amount);
    event SpendingLimitSet(address indexed tenant, uint64 maxRatePerHour, uint64 maxLocked, uint40 validUntil);
    event LeaseOpened(
        uint96 indexed leaseKey,
        bytes32 indexed leaseRef,
        address indexed tenant,
        uint64 ratePerHour,
        uint64 lock,
        uint40 openedAt
    );
    /// @notice A lease was opened under an order of its own; its nonce is used up.
    event OrderUsed(
        address indexed tenant, uint256 indexed nonce, uint96 indexed leaseKey, bytes32 orderHash, bytes32 orderRef
    );
    /// @param by tenant or operator
    /// @param added what went from the tenant's free balance to the lock
    /// @param lock the lock now
    event LeaseExtended(
        uint96 indexed leaseKey, address indexed tenant, address indexed by, uint64 added, uint64 lock
    );
    /// @param by tenant or the provider's owner
    /// @param lock the lock now: what time has earned by `endsAt`
    /// @param refunded what went back from the lock to the tenant's free balance
    event LeaseStopped(
        uint96 indexed leaseKey,
        address indexed tenant,
        address indexed by,
        uint40 endsAt,
        uint64 lock,
        uint64 refunded
    );
    /// @param rows packed: groups of provider id (4 bytes), row count (2), rows of serial (8), cumulative amount (8) and
    /// result (8). A result below 2^63 is the amount paid; otherwise its lowest byte says why the row was skipped:
    /// 1 unknown lease, 2 closed lease, 3 already settled so far, 4 more than the lock, 5 more than time has earned.
    event BatchSettled(bytes rows);
    /// @param paid the difference that closing paid
    /// @param settled all that the lease ever paid
    /// @param refunded what went back from the lock to the tenant's free balance
    /// @param by who closed it: operator, tenant or provider
    event LeaseClosed(
        uint96 indexed leaseKey,
        address indexed tenant,
        address indexed by,
        uint64 paid,
        uint64 settled,
        uint64 refunded
    );
    event EarningsClaimed(uint32 indexed providerId, address indexed to, uint64 amount);

    error ZeroDuration();
    error InsufficientFree(address tenant, uint64 free, uint64 needed);
    /// @notice The tenant has not consented, or the consent has run out.
    error SpendingLimitExpired(address tenant, uint40 validUntil);
    /// @notice Above what the tenant's limit, or the order, allows per hour.
    error RateLimitExceeded(address tenant, uint64 ratePerHour, uint64 maxRatePerHour);
    /// @notice Above what the tenant's limit, or the order, allows to be locked.
    error SpendingLimitExceeded(address tenant, uint64 locked, uint64 maxLocked);
    error OrderNamesOtherProvider(uint32 providerId, uint32 named);
    error UnknownProvider(uint32 providerId);
    error ProviderSuspended(uint32 providerId);
    error LeaseKeyUsed(uint96 leaseKey);
    error LeaseNotOpen(uint96 leaseKey);
    error LeaseIsStopped(uint96 leaseKey);
    error UnknownLease(uint96 leaseKey);
    error LessThanSettled(uint96 leaseKey, uint64 cumulative, uint64 settled);
    error MoreThanLock(uint96 leaseKey, uint64 cumulative, uint64 lock);
    error MoreThanEarned(uint96 leaseKey, uint64 cumulative, uint64 earned);
    error OperatorNotSilent(uint96 leaseKey, uint40 closableAt);
    error NotParty(address caller);
}

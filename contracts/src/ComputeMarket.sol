// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IERC3009} from "./IERC3009.sol";
import {IProviderRegistry} from "./IProviderRegistry.sol";
import {LeaseSlot, LeaseSlots} from "./LeaseSlot.sol";
import {MarketEvents} from "./MarketEvents.sol";
import {PackedBatch} from "./PackedBatch.sol";
import {ProtocolContract} from "./ProtocolContract.sol";
import {Order, SignedConsent} from "./SignedConsent.sol";

/// @title Escrow and settlement of compute leases.
/// @notice Tenants deposit, consent to a bound on what the operator may open in their name (for all leases, or order by
/// order), and withdraw what is free at any time. The operator opens leases, settles cumulative amounts in batches, and
/// closes leases; it can never move more to a provider than time has earned at the agreed rate, nor more than the lock.
/// Providers pull their earnings. Tenant and provider can each stop a lease on their own, and close it when the operator
/// falls silent or the lock is used up: no key of the operator can hold either of them back.
///
/// Amounts are micro-USDC (the token's own smallest unit), rates are micro-USDC per hour, times are seconds.
/// A lease key is provider id (32 bits) and serial (64 bits): the provider is known without reading storage.
/// A pause stops deposits, new and longer leases, and batches. Stopping, closing, withdrawing and claiming always work.
contract ComputeMarket is ProtocolContract, SignedConsent, MarketEvents {
    using SafeERC20 for IERC20;

    /// @dev One slot. `locked` and `ratePerHour` are the sums over open leases.
    struct Tenant {
        uint64 free;
        uint64 locked;
        uint64 ratePerHour;
    }

    /// @dev One slot.
    struct SpendingLimit {
        uint64 maxRatePerHour;
        uint64 maxLocked;
        uint40 validUntil;
    }

    /// @dev One slot. Both only grow.
    struct Earnings {
        uint128 earned;
        uint128 claimed;
    }

    /// @dev One slot, which settlements do not read.
    struct LeaseParty {
        address tenant;
        bool stopped;
    }

    /// @notice Opens, extends, settles and closes leases.
    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");
    /// @notice How long a stopped lease still earns, in seconds: time for the provider to notice.
    uint256 public constant STOP_NOTICE_SECONDS = 1 hours;
    uint256 private constant SECONDS_PER_HOUR = 1 hours;
    uint256 private constant SERIAL_BITS = 64;

    /// @notice Who provides, and where they are paid.
    IProviderRegistry public immutable registry;
    /// @notice How long the operator must have been silent about a lease, or its lock used up, before tenant or provider
    /// may close it, in seconds.
    uint32 public immutable forceCloseAfterSeconds;

    mapping(address tenant => Tenant balances) private _tenants;
    mapping(address tenant => SpendingLimit limit) private _limits;
    mapping(uint32 providerId => Earnings earnings) private _earnings;
    mapping(uint96 leaseKey => LeaseSlot slot) private _leases;
    mapping(uint96 leaseKey => LeaseParty party) private _parties;

    /// @param upgrader_ the timelock; its delay must cover a stop's notice and a force-close
    /// @param forceCloseAfterSeconds_ the operator's silence that frees a lease
    constructor(IERC20 token_, IProviderRegistry registry_, address upgrader_, uint32 forceCloseAfterSeconds_)
        ProtocolContract(token_, upgrader_, STOP_NOTICE_SECONDS + forceCloseAfterSeconds_)
    {
        if (address(registry_) == address(0)) revert ZeroAddress();
        registry = registry_;
        forceCloseAfterSeconds = forceCloseAfterSeconds_;
    }

    /// @notice Sets up the proxy, once.
    /// @param admin grants and revokes every role
    function initialize(address admin) external initializer {
        _initializeRoles(admin);
    }

    // --- Tenants ---------------------------------------------------------------------------------------------------

    /// @notice Moves an allowed amount into the caller's free balance.
    function deposit(uint64 amount) external nonReentrant whenNotPaused {
        _credit(msg.sender, amount);
        _pull(msg.sender, amount);
    }

    /// @notice Deposits with an EIP-2612 signature in place of an earlier approval. A permit that somebody else has
    /// already submitted does no harm: the allowance is there then.
    function depositWithPermit(uint64 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        nonReentrant
        whenNotPaused
    {
        try IERC20Permit(address(token)).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        _credit(msg.sender, amount);
        _pull(msg.sender, amount);
    }

    /// @notice Deposits for `tenant` what it has signed for (EIP-3009). Anyone may hand it in, for a tenant without gas.
    /// @param validAfter seconds since 1970 after which the authorization holds
    /// @param validBefore seconds since 1970 before which it holds
    function depositWithAuthorization(
        address tenant,
        uint64 amount,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant whenNotPaused {
        _credit(tenant, amount);
        uint256 before = token.balanceOf(address(this));
        IERC3009(address(token)).receiveWithAuthorization(
            tenant, address(this), amount, validAfter, validBefore, nonce, v, r, s
        );
        _checkReceived(before, amount);
    }

    /// @notice The caller's consent: how much the operator may have open in the caller's name, at any one time.
    /// Lowering it closes nothing that is open. All zero withdraws the consent.
    /// @param maxRatePerHour highest sum of the hourly rates of open leases
    /// @param maxLocked highest sum of the locks of open leases
    /// @param validUntil last second in which leases may be opened or extended
    function setSpendingLimit(uint64 maxRatePerHour, uint64 maxLocked, uint40 validUntil) external {
        _setSpendingLimit(msg.sender, maxRatePerHour, maxLocked, validUntil);
    }

    /// @notice The same with the tenant's signature: anyone may hand it in, for a tenant without gas.
    /// @param nonce any number that the tenant has not used yet, also for orders
    /// @param deadline last second in which the signature may be handed in
    function setSpendingLimitWithSignature(
        address tenant,
        uint64 maxRatePerHour,
        uint64 maxLocked,
        uint40 validUntil,
        uint256 nonce,
        uint256 deadline,
        bytes calldata signature
    ) external {
        if (block.timestamp > deadline) revert SignatureExpired(deadline);
        bytes32 hash = hashSpendingLimit(tenant, maxRatePerHour, maxLocked, validUntil, nonce, deadline);
        _checkSignature(tenant, hash, signature);
        _useNonce(tenant, nonce);
        _setSpendingLimit(tenant, maxRatePerHour, maxLocked, validUntil);
    }

    /// @notice Pays out of the caller's free balance, at any time.
    function withdraw(uint64 amount) external nonReentrant {
        if (amount == 0) revert ZeroAmount();
        Tenant storage tenant = _tenants[msg.sender];
        uint64 free = tenant.free;
        if (amount > free) revert InsufficientFree(msg.sender, free, amount);
        tenant.free = free - amount;
        emit Withdrawn(msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    // --- Operator --------------------------------------------------------------------------------------------------

    /// @notice Opens a lease within the tenant's spending limit and locks ceil(rate x duration / 3600).
    /// @param leaseKey provider id and a serial that was never used with it
    /// @param ratePerHour micro-USDC per hour, above zero
    /// @param durationSeconds what the lock pays for, above zero
    /// @param leaseRef keccak256 of the lease's id off chain
    function openLease(
        uint96 leaseKey,
        address tenant,
        uint64 ratePerHour,
        uint32 durationSeconds,
        bytes32 leaseRef
    ) external onlyRole(OPERATOR_ROLE) whenNotPaused {
        uint64 lock = _costOf(ratePerHour, durationSeconds);
        _checkLimit(tenant, lock, ratePerHour);
        _open(leaseKey, tenant, ratePerHour, lock, leaseRef);
    }

    /// @notice Opens a lease within an order that its tenant has signed or created, whatever the spending limit is. The
    /// order's nonce is used up.
    /// @param signature of the tenant over `hashOrder(order)`; empty for an order that was created on chain
    function openLeaseWithOrder(
        uint96 leaseKey,
        uint64 ratePerHour,
        uint32 durationSeconds,
        bytes32 leaseRef,
        Order calldata order,
        bytes calldata signature
    ) external onlyRole(OPERATOR_ROLE) whenNotPaused {
        address tenant = order.tenant;
        uint64 lock = _costOf(ratePerHour, durationSeconds);
        if (ratePerHour > order.maxRatePerHour) {
            revert RateLimitExceeded(tenant, ratePerHour, order.maxRatePerHour);
        }
        if (lock > order.maxLock) revert SpendingLimitExceeded(tenant, lock, order.maxLock);
        uint32 providerId = uint32(leaseKey >> SERIAL_BITS);
        if (order.providerId != 0 && order.providerId != providerId) {
            revert OrderNamesOtherProvider(providerId, order.providerId);
        }
        bytes32 orderHash = _useOrder(order, signature);
        emit OrderUsed(tenant, order.nonce, leaseKey, orderHash, order.orderRef);
        _open(leaseKey, tenant, ratePerHour, lock, leaseRef);
    }

    /// @notice Adds ceil(rate x added / 3600) to the lock of an open lease, from the tenant's free balance. The tenant may
    /// always; the operator within the tenant's spending limit.
    function extendLease(uint96 leaseKey, uint32 addedSeconds) external whenNotPaused {
        LeaseSlot slot = _openSlot(leaseKey);
        LeaseParty memory party = _parties[leaseKey];
        if (party.stopped) revert LeaseIsStopped(leaseKey);
        uint64 added = _costOf(uint64(slot.rate()), addedSeconds);
        if (msg.sender != party.tenant) {
            _checkRole(OPERATOR_ROLE);
            _checkLimit(party.tenant, added, 0);
        }
        _lock(party.tenant, added, 0);
        // Within 64 bits: locks are parts of a balance, and balances stay below 2^63.
        uint64 lock = uint64(slot.lock()) + added;
        _leases[leaseKey] = slot.withLock(lock);
        emit LeaseExtended(leaseKey, party.tenant, msg.sender, added, lock);
    }

    /// @notice Pays leases up to cumulative amounts. A row that cannot be honoured moves nothing, is reported in the
    /// event with the reason, and holds back no other row. Replays, duplicates and any order end the same.
    /// @param batch packed: groups of provider id (4 bytes), row count (2), rows of serial (8) and cumulative amount (8)
    function settleBatch(bytes calldata batch) external onlyRole(OPERATOR_ROLE) whenNotPaused {
        bytes memory results = new bytes(PackedBatch.resultBytes(batch));
        (uint256 input, uint256 end) = PackedBatch.bounds(batch);
        uint256 output;
        assembly ("memory-safe") {
            output := add(results, 32)
        }
        unchecked {
            while (input < end) {
                uint256 header = PackedBatch.load(input, PackedBatch.HEADER_BYTES);
                PackedBatch.store(output, header, PackedBatch.HEADER_BYTES);
                input += PackedBatch.HEADER_BYTES;
                output += PackedBatch.HEADER_BYTES;
                uint256 providerId = header >> PackedBatch.COUNT_BITS;
                uint256 groupEnd = input + (header & PackedBatch.COUNT_MASK) * PackedBatch.ROW_BYTES;
                uint256 groupPaid = 0;
                while (input < groupEnd) {
                    uint256 row = PackedBatch.load(input, PackedBatch.ROW_BYTES);
                    uint256 result = _settleRow(
                        uint96((providerId << SERIAL_BITS) | (row >> PackedBatch.AMOUNT_BITS)),
                        row & PackedBatch.AMOUNT_MASK
                    );
                    if (result < PackedBatch.SKIPPED) groupPaid += result;
                    PackedBatch.store(
                        output, (row << PackedBatch.AMOUNT_BITS) | result, PackedBatch.RESULT_ROW_BYTES
                    );
                    input += PackedBatch.ROW_BYTES;
                    output += PackedBatch.RESULT_ROW_BYTES;
                }
                // 128 bits: more than all batches of all time can add up to.
                if (groupPaid != 0) _earnings[uint32(providerId)].earned += uint128(groupPaid);
            }
        }
        emit BatchSettled(results);
    }

    /// @notice Pays the last difference, frees the rest of the lock, and ends the lease for ever.
    /// @dev Refuses rather than clips: an amount that the chain would have to alter is a fault off chain, and clipping
    /// would hide it. A second close reverts with LeaseNotOpen and moves nothing.
    /// @param finalCumulative all that the lease shall ever have paid
    function closeLease(uint96 leaseKey, uint64 finalCumulative) external onlyRole(OPERATOR_ROLE) {
        LeaseSlot slot = _openSlot(leaseKey);
        uint256 settled = slot.settled();
        if (finalCumulative < settled) revert LessThanSettled(leaseKey, finalCumulative, uint64(settled));
        uint256 lock = slot.lock();
        if (finalCumulative > lock) revert MoreThanLock(leaseKey, finalCumulative, uint64(lock));
        uint256 earned = slot.earned(block.timestamp);
        if (finalCumulative > earned) revert MoreThanEarned(leaseKey, finalCumulative, _clamp(earned));
        _close(leaseKey, slot, finalCumulative);
    }

    // --- Exits that depend on nobody ---------------------------------------------------------------------------------

    /// @notice Lets the tenant or the provider's owner end what a lease earns, `STOP_NOTICE_SECONDS` from now. What time
    /// cannot have earned by then goes back to the tenant at once; the rest stays locked until the operator closes the
    /// lease, or either of them does by `forceClose`. A stopped lease cannot be extended.
    function stopLease(uint96 leaseKey) external {
        LeaseSlot slot = _openSlot(leaseKey);
        LeaseParty memory party = _parties[leaseKey];
        _checkParty(leaseKey, party.tenant);
        if (party.stopped) revert LeaseIsStopped(leaseKey);
        uint256 endsAt = block.timestamp + STOP_NOTICE_SECONDS;
        uint64 lock = uint64(slot.lock());
        uint256 earned = slot.earned(endsAt);
        uint64 kept = earned < lock ? uint64(earned) : lock;
        _leases[leaseKey] = slot.withLock(kept);
        _parties[leaseKey].stopped = true;
        Tenant storage tenant = _tenants[party.tenant];
        tenant.free += lock - kept;
        tenant.locked -= lock - kept;
        emit LeaseStopped(leaseKey, party.tenant, msg.sender, uint40(endsAt), kept, lock - kept);
    }

    /// @notice Lets the tenant or the provider's owner end a lease `forceCloseAfterSeconds` after the operator was last
    /// heard of, or after the lock was used up, whichever came first. Pays nothing more than what was settled: no one
    /// else can attest what ran.
    function forceClose(uint96 leaseKey) external {
        LeaseSlot slot = _openSlot(leaseKey);
        _checkParty(leaseKey, _parties[leaseKey].tenant);
        uint256 closableAt = _closableAt(slot);
        if (block.timestamp < closableAt) revert OperatorNotSilent(leaseKey, uint40(closableAt));
        _close(leaseKey, slot, slot.settled());
    }

    /// @notice Pays a provider all it has earned and not yet claimed (at most MAX_AMOUNT at once), to its payout address.
    /// Owner or payout may call.
    function claim(uint32 providerId) external nonReentrant returns (uint64 amount) {
        address payout = registry.payoutOf(providerId);
        if (payout == address(0)) revert UnknownProvider(providerId);
        if (msg.sender != payout && msg.sender != registry.ownerOf(providerId)) revert NotParty(msg.sender);
        Earnings storage earnings = _earnings[providerId];
        uint128 unclaimed = earnings.earned - earnings.claimed;
        if (unclaimed == 0) revert ZeroAmount();
        amount = unclaimed > MAX_AMOUNT ? MAX_AMOUNT : uint64(unclaimed);
        earnings.claimed += amount;
        emit EarningsClaimed(providerId, payout, amount);
        token.safeTransfer(payout, amount);
    }

    // --- Views -----------------------------------------------------------------------------------------------------

    /// @notice A tenant's free balance, and the sums of its open leases.
    function tenantOf(address tenant) external view returns (Tenant memory) {
        return _tenants[tenant];
    }

    /// @notice A tenant's standing consent.
    function spendingLimitOf(address tenant) external view returns (SpendingLimit memory) {
        return _limits[tenant];
    }

    /// @notice What a provider has earned and claimed, ever.
    function earningsOf(uint32 providerId) external view returns (Earnings memory) {
        return _earnings[providerId];
    }

    /// @notice The tenant is the zero address where the key was never used; the rate is zero once closed.
    function leaseOf(uint96 leaseKey)
        external
        view
        returns (address tenant, uint64 lock, uint64 settled, uint64 ratePerHour, uint40 openedAt, bool open)
    {
        LeaseSlot slot = _leases[leaseKey];
        tenant = _parties[leaseKey].tenant;
        lock = uint64(slot.lock());
        settled = uint64(slot.settled());
        ratePerHour = uint64(slot.rate());
        openedAt = uint40(slot.start());
        open = slot.isOpen();
    }

    /// @notice Whether tenant or provider has stopped a lease, and from when on they may close it; reverts unless open.
    function exitOf(uint96 leaseKey) external view returns (bool stopped, uint40 closableAt) {
        return (_parties[leaseKey].stopped, uint40(_closableAt(_openSlot(leaseKey))));
    }

    /// @notice The highest cumulative amount that a settlement in this second could reach; 0 unless open.
    function settleableOf(uint96 leaseKey) external view returns (uint64) {
        LeaseSlot slot = _leases[leaseKey];
        if (!slot.isOpen()) return 0;
        uint256 earned = slot.earned(block.timestamp);
        uint256 lock = slot.lock();
        return uint64(earned < lock ? earned : lock);
    }

    // --- Internals -------------------------------------------------------------------------------------------------

    function _credit(address tenantAddress, uint64 amount) private {
        if (amount == 0) revert ZeroAmount();
        Tenant storage tenant = _tenants[tenantAddress];
        uint256 total = uint256(tenant.free) + tenant.locked + amount;
        if (total > MAX_AMOUNT) revert AmountTooLarge();
        tenant.free += amount;
        emit Deposited(tenantAddress, amount);
    }

    function _setSpendingLimit(address tenant, uint64 maxRatePerHour, uint64 maxLocked, uint40 validUntil) private {
        _limits[tenant] = SpendingLimit(maxRatePerHour, maxLocked, validUntil);
        emit SpendingLimitSet(tenant, maxRatePerHour, maxLocked, validUntil);
    }

    function _open(uint96 leaseKey, address tenant, uint64 ratePerHour, uint64 lock, bytes32 leaseRef) private {
        if (_leases[leaseKey].exists()) revert LeaseKeyUsed(leaseKey);
        uint32 providerId = uint32(leaseKey >> SERIAL_BITS);
        (address owner, bool suspended) = registry.standingOf(providerId);
        if (owner == address(0)) revert UnknownProvider(providerId);
        if (suspended) revert ProviderSuspended(providerId);
        _lock(tenant, lock, ratePerHour);
        _leases[leaseKey] = LeaseSlots.opened(lock, ratePerHour, block.timestamp);
        _parties[leaseKey].tenant = tenant;
        emit LeaseOpened(leaseKey, leaseRef, tenant, ratePerHour, lock, uint40(block.timestamp));
    }

    function _lock(address tenantAddress, uint64 lock, uint64 ratePerHour) private {
        Tenant memory tenant = _tenants[tenantAddress];
        if (lock > tenant.free) revert InsufficientFree(tenantAddress, tenant.free, lock);
        uint256 openRate = uint256(tenant.ratePerHour) + ratePerHour;
        if (openRate > type(uint64).max) revert AmountTooLarge();
        _tenants[tenantAddress] = Tenant(tenant.free - lock, tenant.locked + lock, uint64(openRate));
    }

    /// @return the amount paid, or why nothing was
    function _settleRow(uint96 leaseKey, uint256 cumulative) private returns (uint256) {
        LeaseSlot slot = _leases[leaseKey];
        if (!slot.isOpen()) {
            return slot.exists() ? PackedBatch.SKIPPED_CLOSED_LEASE : PackedBatch.SKIPPED_UNKNOWN_LEASE;
        }
        uint256 settled = slot.settled();
        if (cumulative <= settled) return PackedBatch.SKIPPED_ALREADY_SETTLED;
        if (cumulative > slot.lock()) return PackedBatch.SKIPPED_MORE_THAN_LOCK;
        if (cumulative > slot.earned(block.timestamp)) return PackedBatch.SKIPPED_MORE_THAN_EARNED;
        _leases[leaseKey] = slot.withSettled(cumulative, block.timestamp);
        unchecked {
            return cumulative - settled;
        }
    }

    /// @dev The caller has checked that settled <= finalCumulative <= lock.
    function _close(uint96 leaseKey, LeaseSlot slot, uint256 finalCumulative) private {
        uint64 lock = uint64(slot.lock());
        uint64 paid = uint64(finalCumulative - slot.settled());
        uint64 refunded = lock - uint64(finalCumulative);
        uint64 rate = uint64(slot.rate());
        _leases[leaseKey] = slot.withSettled(finalCumulative, block.timestamp).closed();
        address tenantAddress = _parties[leaseKey].tenant;
        Tenant memory tenant = _tenants[tenantAddress];
        _tenants[tenantAddress] =
            Tenant(tenant.free + refunded, tenant.locked - lock, tenant.ratePerHour - rate);
        if (paid != 0) _earnings[uint32(leaseKey >> SERIAL_BITS)].earned += paid;
        emit LeaseClosed(leaseKey, tenantAddress, msg.sender, paid, uint64(finalCumulative), refunded);
    }

    function _checkLimit(address tenantAddress, uint64 lock, uint64 ratePerHour) private view {
        Tenant memory tenant = _tenants[tenantAddress];
        SpendingLimit memory limit = _limits[tenantAddress];
        if (block.timestamp > limit.validUntil) revert SpendingLimitExpired(tenantAddress, limit.validUntil);
        uint256 openRate = uint256(tenant.ratePerHour) + ratePerHour;
        if (openRate > limit.maxRatePerHour) {
            revert RateLimitExceeded(tenantAddress, _clamp(openRate), limit.maxRatePerHour);
        }
        uint256 locked = uint256(tenant.locked) + lock;
        if (locked > limit.maxLocked) revert SpendingLimitExceeded(tenantAddress, _clamp(locked), limit.maxLocked);
    }

    function _openSlot(uint96 leaseKey) private view returns (LeaseSlot slot) {
        slot = _leases[leaseKey];
        if (!slot.exists()) revert UnknownLease(leaseKey);
        if (!slot.isOpen()) revert LeaseNotOpen(leaseKey);
    }

    function _checkParty(uint96 leaseKey, address tenant) private view {
        if (msg.sender != tenant && msg.sender != registry.ownerOf(uint32(leaseKey >> SERIAL_BITS))) {
            revert NotParty(msg.sender);
        }
    }

    /// @dev What the operator says after zero-time puts nothing off: there is nothing left that it could settle.
    function _closableAt(LeaseSlot slot) private view returns (uint256) {
        uint256 heardAt = slot.heardAt();
        uint256 usedUpAt = slot.usedUpAt();
        return (heardAt < usedUpAt ? heardAt : usedUpAt) + forceCloseAfterSeconds;
    }

    /// @return ceil(rate x duration / 3600), in micro-USDC
    function _costOf(uint64 ratePerHour, uint32 durationSeconds) private pure returns (uint64) {
        if (ratePerHour == 0) revert ZeroAmount();
        if (durationSeconds == 0) revert ZeroDuration();
        uint256 cost = (uint256(ratePerHour) * durationSeconds + SECONDS_PER_HOUR - 1) / SECONDS_PER_HOUR;
        if (cost > MAX_AMOUNT) revert AmountTooLarge();
        return uint64(cost);
    }

    function _clamp(uint256 value) private pure returns (uint64) {
        return value > type(uint64).max ? type(uint64).max : uint64(value);
    }
}

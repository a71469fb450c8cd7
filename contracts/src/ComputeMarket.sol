// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IProviderRegistry} from "./IProviderRegistry.sol";
import {LeaseSlot, LeaseSlots} from "./LeaseSlot.sol";

/// @title Escrow and settlement of compute leases.
/// @notice Tenants deposit, consent to a bound on what the operator may open in their name, and withdraw what is free
/// at any time. The operator opens leases, settles cumulative amounts in batches, and closes leases; it can never move
/// more to a provider than time has earned at the agreed rate, nor more than the lock. Providers pull their earnings.
/// When the operator falls silent, tenant and provider each can close a lease on their own.
///
/// Amounts are micro-USDC (the token's own smallest unit), rates are micro-USDC per hour, times are seconds.
/// A lease key is provider id (32 bits) and serial (64 bits): the provider is known without reading storage.
/// A pause stops deposits, new leases and batches. Closing, withdrawing and claiming always work.
contract ComputeMarket is AccessControl, Pausable, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @dev One slot. `locked` and `ratePerHour` are the sums over open leases, as they were opened.
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

    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    /// @notice Amounts stay below 2^63 micros, so that a sum of two never wraps 64 bits.
    uint64 public constant MAX_AMOUNT = type(uint64).max >> 1;
    uint256 private constant SECONDS_PER_HOUR = 3600;

    /// @dev Packed batch: groups of provider id (4 bytes), row count (2 bytes), rows. A row in: serial (8), cumulative
    /// amount (8). A row out: the same, and its result (8): the amount paid, or the flag with a reason.
    uint256 private constant GROUP_HEADER_BYTES = 6;
    uint256 private constant ROW_BYTES = 16;
    uint256 private constant RESULT_ROW_BYTES = 24;
    uint256 private constant SKIPPED = 1 << 63;
    uint256 private constant SKIPPED_UNKNOWN_LEASE = SKIPPED | 1;
    uint256 private constant SKIPPED_CLOSED_LEASE = SKIPPED | 2;
    uint256 private constant SKIPPED_ALREADY_SETTLED = SKIPPED | 3;
    uint256 private constant SKIPPED_MORE_THAN_LOCK = SKIPPED | 4;
    uint256 private constant SKIPPED_MORE_THAN_EARNED = SKIPPED | 5;

    IERC20 public immutable token;
    IProviderRegistry public immutable registry;
    /// @notice How long the operator must have been silent about a lease before tenant or provider may close it.
    uint32 public immutable forceCloseAfterSeconds;

    mapping(address tenant => Tenant) private _tenants;
    mapping(address tenant => SpendingLimit) private _limits;
    mapping(uint32 providerId => Earnings) private _earnings;
    mapping(uint96 leaseKey => LeaseSlot) private _leases;
    mapping(uint96 leaseKey => address tenant) private _leaseTenants;

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

    error ZeroAddress();
    error ZeroAmount();
    error ZeroDuration();
    error AmountTooLarge();
    error UnexpectedTokenAmount();
    error InsufficientFree(address tenant, uint64 free, uint64 needed);
    /// @notice The tenant has not consented, or the consent has run out.
    error SpendingLimitExpired(address tenant, uint40 validUntil);
    error RateLimitExceeded(address tenant, uint64 ratePerHour, uint64 maxRatePerHour);
    error SpendingLimitExceeded(address tenant, uint64 locked, uint64 maxLocked);
    error UnknownProvider(uint32 providerId);
    error LeaseKeyUsed(uint96 leaseKey);
    error LeaseNotOpen(uint96 leaseKey);
    error UnknownLease(uint96 leaseKey);
    error LessThanSettled(uint96 leaseKey, uint64 cumulative, uint64 settled);
    error MoreThanLock(uint96 leaseKey, uint64 cumulative, uint64 lock);
    error MoreThanEarned(uint96 leaseKey, uint64 cumulative, uint64 earned);
    error OperatorNotSilent(uint96 leaseKey, uint40 closableAt);
    error NotParty(address caller);
    error MalformedBatch();

    /// @param admin grants and revokes every other role
    constructor(IERC20 token_, IProviderRegistry registry_, address admin, uint32 forceCloseAfterSeconds_) {
        if (address(token_) == address(0) || address(registry_) == address(0) || admin == address(0)) {
            revert ZeroAddress();
        }
        token = token_;
        registry = registry_;
        forceCloseAfterSeconds = forceCloseAfterSeconds_;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    // --- Tenants ---------------------------------------------------------------------------------------------------

    /// @notice Moves an allowed amount into the caller's free balance.
    function deposit(uint64 amount) external nonReentrant whenNotPaused {
        _deposit(amount);
    }

    /// @notice Deposits with an EIP-2612 signature in place of an earlier approval. A permit that somebody else has
    /// already submitted does no harm: the allowance is there then.
    function depositWithPermit(uint64 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        nonReentrant
        whenNotPaused
    {
        try IERC20Permit(address(token)).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        _deposit(amount);
    }

    /// @notice The caller's consent: how much the operator may have open in the caller's name, at any one time.
    /// Lowering it closes nothing that is open. All zero withdraws the consent.
    /// @param maxRatePerHour highest sum of the hourly rates of open leases
    /// @param maxLocked highest sum of the locks of open leases
    /// @param validUntil last second in which leases may be opened
    function setSpendingLimit(uint64 maxRatePerHour, uint64 maxLocked, uint40 validUntil) external {
        _limits[msg.sender] = SpendingLimit(maxRatePerHour, maxLocked, validUntil);
        emit SpendingLimitSet(msg.sender, maxRatePerHour, maxLocked, validUntil);
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

    /// @notice Opens a lease within the tenant's consent and locks ceil(rate x duration / 3600).
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
        if (ratePerHour == 0) revert ZeroAmount();
        if (durationSeconds == 0) revert ZeroDuration();
        if (_leases[leaseKey].exists()) revert LeaseKeyUsed(leaseKey);
        uint32 providerId = uint32(leaseKey >> 64);
        if (registry.ownerOf(providerId) == address(0)) revert UnknownProvider(providerId);

        uint256 needed =
            (uint256(ratePerHour) * durationSeconds + SECONDS_PER_HOUR - 1) / SECONDS_PER_HOUR;
        if (needed > MAX_AMOUNT) revert AmountTooLarge();
        uint64 lock = uint64(needed);
        _lock(tenant, lock, ratePerHour);

        _leases[leaseKey] = LeaseSlots.opened(lock, ratePerHour, block.timestamp);
        _leaseTenants[leaseKey] = tenant;
        emit LeaseOpened(leaseKey, leaseRef, tenant, ratePerHour, lock, uint40(block.timestamp));
    }

    /// @notice Pays leases up to cumulative amounts. A row that cannot be honoured moves nothing, is reported in the
    /// event with the reason, and holds back no other row. Replays, duplicates and any order end the same.
    /// @param batch packed: groups of provider id (4 bytes), row count (2), rows of serial (8) and cumulative amount (8)
    function settleBatch(bytes calldata batch) external onlyRole(OPERATOR_ROLE) whenNotPaused {
        bytes memory results = new bytes(_resultBytes(batch));
        uint256 input;
        uint256 output;
        uint256 end;
        assembly ("memory-safe") {
            input := batch.offset
            end := add(input, batch.length)
            output := add(results, 32)
        }
        unchecked {
            while (input < end) {
                uint256 header = _load(input, GROUP_HEADER_BYTES);
                _store(output, header, GROUP_HEADER_BYTES);
                input += GROUP_HEADER_BYTES;
                output += GROUP_HEADER_BYTES;
                uint256 providerId = header >> 16;
                uint256 groupEnd = input + (header & 0xffff) * ROW_BYTES;
                uint256 groupPaid = 0;
                while (input < groupEnd) {
                    uint256 row = _load(input, ROW_BYTES);
                    uint256 result =
                        _settleRow(uint96((providerId << 64) | (row >> 64)), row & type(uint64).max);
                    if (result < SKIPPED) groupPaid += result;
                    _store(output, (row << 64) | result, RESULT_ROW_BYTES);
                    input += ROW_BYTES;
                    output += RESULT_ROW_BYTES;
                }
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

    /// @notice Lets the tenant or the provider end a lease about which the operator has been silent for
    /// `forceCloseAfterSeconds`. Pays nothing more than what was settled: no one else can attest what ran.
    function forceClose(uint96 leaseKey) external {
        LeaseSlot slot = _openSlot(leaseKey);
        if (msg.sender != _leaseTenants[leaseKey] && msg.sender != registry.ownerOf(uint32(leaseKey >> 64))) {
            revert NotParty(msg.sender);
        }
        uint256 closableAt = slot.heardAt() + forceCloseAfterSeconds;
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

    // --- Pause -----------------------------------------------------------------------------------------------------

    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    function unpause() external onlyRole(PAUSER_ROLE) {
        _unpause();
    }

    // --- Views -----------------------------------------------------------------------------------------------------

    function tenantOf(address tenant) external view returns (Tenant memory) {
        return _tenants[tenant];
    }

    function spendingLimitOf(address tenant) external view returns (SpendingLimit memory) {
        return _limits[tenant];
    }

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
        tenant = _leaseTenants[leaseKey];
        lock = uint64(slot.lock());
        settled = uint64(slot.settled());
        ratePerHour = uint64(slot.rate());
        openedAt = uint40(slot.start());
        open = slot.isOpen();
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

    function _deposit(uint64 amount) private {
        if (amount == 0) revert ZeroAmount();
        Tenant storage tenant = _tenants[msg.sender];
        uint256 total = uint256(tenant.free) + tenant.locked + amount;
        if (total > MAX_AMOUNT) revert AmountTooLarge();
        tenant.free += amount;
        emit Deposited(msg.sender, amount);
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        if (token.balanceOf(address(this)) - before != amount) revert UnexpectedTokenAmount();
    }

    function _lock(address tenantAddress, uint64 lock, uint64 ratePerHour) private {
        Tenant memory tenant = _tenants[tenantAddress];
        SpendingLimit memory limit = _limits[tenantAddress];
        if (block.timestamp > limit.validUntil) revert SpendingLimitExpired(tenantAddress, limit.validUntil);
        uint256 openRate = uint256(tenant.ratePerHour) + ratePerHour;
        if (openRate > limit.maxRatePerHour) {
            revert RateLimitExceeded(tenantAddress, _clamp(openRate), limit.maxRatePerHour);
        }
        uint256 locked = uint256(tenant.locked) + lock;
        if (locked > limit.maxLocked) revert SpendingLimitExceeded(tenantAddress, _clamp(locked), limit.maxLocked);
        if (lock > tenant.free) revert InsufficientFree(tenantAddress, tenant.free, lock);
        _tenants[tenantAddress] = Tenant(tenant.free - lock, uint64(locked), uint64(openRate));
    }

    /// @return the amount paid, or why nothing was
    function _settleRow(uint96 leaseKey, uint256 cumulative) private returns (uint256) {
        LeaseSlot slot = _leases[leaseKey];
        if (!slot.isOpen()) return slot.exists() ? SKIPPED_CLOSED_LEASE : SKIPPED_UNKNOWN_LEASE;
        uint256 settled = slot.settled();
        if (cumulative <= settled) return SKIPPED_ALREADY_SETTLED;
        if (cumulative > slot.lock()) return SKIPPED_MORE_THAN_LOCK;
        if (cumulative > slot.earned(block.timestamp)) return SKIPPED_MORE_THAN_EARNED;
        _leases[leaseKey] = slot.withSettled(cumulative, block.timestamp);
        unchecked {
            return cumulative - settled;
        }
    }

    function _openSlot(uint96 leaseKey) private view returns (LeaseSlot slot) {
        slot = _leases[leaseKey];
        if (!slot.exists()) revert UnknownLease(leaseKey);
        if (!slot.isOpen()) revert LeaseNotOpen(leaseKey);
    }

    /// @dev The caller has checked that settled <= finalCumulative <= lock.
    function _close(uint96 leaseKey, LeaseSlot slot, uint256 finalCumulative) private {
        uint64 lock = uint64(slot.lock());
        uint64 paid = uint64(finalCumulative - slot.settled());
        uint64 refunded = lock - uint64(finalCumulative);
        uint64 rate = uint64(slot.rate());
        _leases[leaseKey] = slot.withSettled(finalCumulative, block.timestamp).closed();
        address tenantAddress = _leaseTenants[leaseKey];
        Tenant memory tenant = _tenants[tenantAddress];
        _tenants[tenantAddress] =
            Tenant(tenant.free + refunded, tenant.locked - lock, tenant.ratePerHour - rate);
        if (paid != 0) _earnings[uint32(leaseKey >> 64)].earned += paid;
        emit LeaseClosed(leaseKey, tenantAddress, msg.sender, paid, uint64(finalCumulative), refunded);
    }

    /// @dev Walks the group headers: the length of the results, if the batch is well formed.
    function _resultBytes(bytes calldata batch) private pure returns (uint256 length) {
        uint256 input;
        uint256 end;
        assembly ("memory-safe") {
            input := batch.offset
            end := add(input, batch.length)
        }
        unchecked {
            while (input < end) {
                if (end - input < GROUP_HEADER_BYTES) revert MalformedBatch();
                uint256 count = _load(input, GROUP_HEADER_BYTES) & 0xffff;
                input += GROUP_HEADER_BYTES;
                if (count == 0 || count * ROW_BYTES > end - input) revert MalformedBatch();
                input += count * ROW_BYTES;
                length += GROUP_HEADER_BYTES + count * RESULT_ROW_BYTES;
            }
        }
        if (length == 0) revert MalformedBatch();
    }

    /// @return value the first `size` bytes of calldata at `offset`, as a number
    function _load(uint256 offset, uint256 size) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(sub(256, shl(3, size)), calldataload(offset))
        }
    }

    /// @dev Writes `size` bytes, and zeroes behind them up to a word: rows are written front to back, and the memory
    /// behind the last one is padding up to a full word or not in use yet.
    function _store(uint256 pointer, uint256 value, uint256 size) private pure {
        assembly ("memory-safe") {
            mstore(pointer, shl(sub(256, shl(3, size)), value))
        }
    }

    function _clamp(uint256 value) private pure returns (uint64) {
        return value > type(uint64).max ? type(uint64).max : uint64(value);
    }
}

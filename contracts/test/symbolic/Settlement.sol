// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ComputeMarket} from "../../src/ComputeMarket.sol";
import {IProviderRegistry} from "../../src/IProviderRegistry.sol";
import {SlowTimelock, Symbolic} from "./Symbolic.sol";

/// @title One row of a settlement, and every way in which a lease ends, for all inputs.
contract SettlementProof is Symbolic {
    uint256 private constant TENANTS = 6;
    uint256 private constant EARNINGS = 8;
    uint256 private constant LEASES = 9;
    uint256 private constant PARTIES = 10;
    uint32 private constant PROVIDER_ID = 7;
    uint64 private constant SERIAL = 11;
    uint96 private constant KEY = (uint96(PROVIDER_ID) << 64) | SERIAL;
    uint32 private constant SILENCE = 1 days;

    ComputeMarket private market;

    /// @dev What is known of a lease and of its parties before a step.
    struct World {
        uint64 lock;
        uint64 settled;
        uint64 rate;
        uint40 start;
        uint24 heard;
        uint64 free;
        uint64 locked;
        uint64 openRate;
        uint128 earned;
        uint40 time;
    }

    function setUp() public {
        address timelock = address(new SlowTimelock());
        // No step that is proved asks the registry: its address only has to be there.
        ComputeMarket code =
            new ComputeMarket(IERC20(TOKEN), IProviderRegistry(address(0x4E6)), timelock, SILENCE);
        market = ComputeMarket(proxyOf(address(code), abi.encodeCall(ComputeMarket.initialize, (address(this)))));
        market.grantRole(market.OPERATOR_ROLE(), address(this));
    }

    /// @dev An open lease in any state that the contract can have brought about, and a later time.
    function assumeOpen(World memory w) private {
        vm.assume(w.rate != 0);
        vm.assume(w.start != 0);
        vm.assume(w.time >= w.start);
        vm.assume(w.lock <= MAX_AMOUNT);
        vm.assume(w.settled <= w.lock);
        vm.assume(w.locked >= w.lock);
        vm.assume(uint256(w.free) + w.locked <= MAX_AMOUNT);
        vm.assume(w.openRate >= w.rate);
        vm.assume(w.earned <= type(uint128).max - type(uint64).max);
        put(address(market), mappingSlot(KEY, LEASES), leaseWord(w));
        put(address(market), mappingSlot(KEY, PARTIES), uint160(address(this)));
        put(
            address(market),
            mappingSlot(uint160(address(this)), TENANTS),
            uint256(w.free) | (uint256(w.locked) << 64) | (uint256(w.openRate) << 128)
        );
        put(address(market), mappingSlot(PROVIDER_ID, EARNINGS), w.earned);
        vm.warp(w.time);
    }

    /// @dev What time has earned: floor(rate x elapsed / 3600).
    function accrued(World memory w) private pure returns (uint256) {
        return accruedAt(w, w.time);
    }

    function accruedAt(World memory w, uint256 time) private pure returns (uint256) {
        unchecked {
            return floorOf(w.rate, time - uint256(w.start), 3600);
        }
    }

    /// @dev start + ceil(lock x 3600 / rate): the first second in which time has earned the whole lock.
    function zeroTime(World memory w) private pure returns (uint256) {
        unchecked {
            return w.start + (uint256(w.lock) * 3600 + w.rate - 1) / w.rate;
        }
    }

    function leaseWord(World memory w) private pure returns (uint256) {
        return uint256(w.lock) | (uint256(w.settled) << 64) | (uint256(w.rate) << 128)
            | (uint256(w.start) << 192) | (uint256(w.heard) << 232);
    }

    function lease(uint256 offset, uint256 size) private view returns (uint256) {
        return bits(address(market), mappingSlot(KEY, LEASES), offset, size);
    }

    function tenant(uint256 offset) private view returns (uint256) {
        return bits(address(market), mappingSlot(uint160(address(this)), TENANTS), offset, 64);
    }

    function earned() private view returns (uint256) {
        return bits(address(market), mappingSlot(PROVIDER_ID, EARNINGS), 0, 128);
    }

    function settle(uint64 cumulative) private returns (bool success) {
        bytes memory batch = abi.encodePacked(PROVIDER_ID, uint16(1), SERIAL, cumulative);
        (success,) = address(market).call(abi.encodeCall(ComputeMarket.settleBatch, (batch)));
    }

    /// @notice A row pays exactly the difference to what was settled if that is more, within the lock, and within what
    /// time has earned; otherwise it changes nothing at all. It never stops the batch.
    function check_row_pays_the_difference_or_nothing(World memory w, uint64 cumulative) external {
        assumeOpen(w);
        uint256 word = leaseWord(w);
        assert(settle(cumulative));
        bool due = cumulative > w.settled && cumulative <= w.lock
            && cumulative <= accrued(w);
        if (due) {
            assert(lease(64, 64) == cumulative);
            assert(earned() == uint256(w.earned) + cumulative - w.settled);
        } else {
            assert(lease(0, 256) == word);
            assert(earned() == w.earned);
        }
        assert(lease(0, 64) == w.lock && lease(128, 64) == w.rate && lease(192, 40) == w.start);
        assert(tenant(0) == w.free && tenant(64) == w.locked && tenant(128) == w.openRate);
    }

    /// @notice settled <= min(lock, rate x elapsed / 3600) stays true, and settled never decreases.
    function check_row_keeps_settled_within_lock_and_time(World memory w, uint64 cumulative) external {
        assumeOpen(w);
        vm.assume(w.settled <= accrued(w));
        assert(settle(cumulative));
        uint256 settled = lease(64, 64);
        assert(settled >= w.settled);
        assert(settled <= w.lock);
        assert(settled <= accrued(w));
    }

    /// @notice A row for a key that was never used, or for a closed lease, changes nothing.
    function check_row_of_no_open_lease_changes_nothing(uint256 word, uint64 cumulative, uint128 before, uint40 time)
        external
    {
        vm.assume((word >> 128) & type(uint64).max == 0);
        put(address(market), mappingSlot(KEY, LEASES), word);
        put(address(market), mappingSlot(PROVIDER_ID, EARNINGS), before);
        vm.warp(time);
        assert(settle(cumulative));
        assert(lease(0, 256) == word);
        assert(earned() == before);
    }

    /// @notice A close pays the last difference and refunds the rest of the lock, or reverts: exactly within the rules of
    /// a row, but for an amount that is settled already, which closes with nothing paid. Nothing is made or lost.
    function check_close_refunds_the_rest(World memory w, uint64 finalCumulative) external {
        assumeOpen(w);
        (bool closed,) = address(market).call(abi.encodeCall(ComputeMarket.closeLease, (KEY, finalCumulative)));
        assert(
            closed
                == (finalCumulative >= w.settled && finalCumulative <= w.lock
                    && finalCumulative <= accrued(w))
        );
        if (!closed) return;
        assertClosed(w, finalCumulative);
    }

    /// @notice A forced close pays nothing, refunds all that was not settled, and never comes before the silence.
    function check_forced_close_refunds_all_that_was_not_settled(World memory w) external {
        assumeOpen(w);
        (bool closed,) = address(market).call(abi.encodeCall(ComputeMarket.forceClose, (KEY)));
        if (!closed) return;
        assert(w.time >= w.start + floorOf(w.heard, 60, 1) + SILENCE || w.time >= zeroTime(w) + SILENCE);
        assertClosed(w, w.settled);
    }

    /// @notice A stop gives back what cannot be earned within the notice, at once; it moves nothing else.
    function check_stop_gives_back_what_cannot_be_earned(World memory w) external {
        assumeOpen(w);
        (bool stopped,) = address(market).call(abi.encodeCall(ComputeMarket.stopLease, (KEY)));
        assert(stopped);
        uint256 kept = lease(0, 64);
        uint256 earnable = accruedAt(w, uint256(w.time) + 3600);
        assert(kept == (earnable < w.lock ? earnable : w.lock));
        assert(tenant(0) == uint256(w.free) + w.lock - kept);
        assert(tenant(64) == uint256(w.locked) - (w.lock - kept));
        assert(earned() == w.earned);
    }

    // --- That the proofs are about something: each of these has a counterexample, and the run demands that it is found ---

    function witness_a_row_pays(World memory w, uint64 cumulative) external {
        assumeOpen(w);
        assert(settle(cumulative));
        assert(w.settled == 0 || earned() == w.earned);
    }

    function witness_a_row_is_skipped(World memory w, uint64 cumulative) external {
        assumeOpen(w);
        assert(settle(cumulative));
        assert(cumulative <= w.settled || lease(64, 64) != w.settled);
    }

    function witness_a_close_pays_and_refunds(World memory w, uint64 finalCumulative) external {
        assumeOpen(w);
        (bool closed,) = address(market).call(abi.encodeCall(ComputeMarket.closeLease, (KEY, finalCumulative)));
        assert(!closed || finalCumulative == w.settled || finalCumulative == w.lock);
    }

    function witness_a_forced_close_refunds(World memory w) external {
        assumeOpen(w);
        (bool closed,) = address(market).call(abi.encodeCall(ComputeMarket.forceClose, (KEY)));
        assert(!closed || w.settled == w.lock);
    }

    function witness_a_stop_gives_back(World memory w) external {
        assumeOpen(w);
        (bool stopped,) = address(market).call(abi.encodeCall(ComputeMarket.stopLease, (KEY)));
        assert(!stopped || lease(0, 64) == w.lock);
    }

    /// @dev Added up, the equations say that nothing is made or lost: free + (locked - settled) + earned stays, where settled
    /// is what of the locks has been earned already.
    function assertClosed(World memory w, uint256 finalCumulative) private view {
        assert(lease(128, 64) == 0 && lease(64, 64) == finalCumulative && lease(0, 64) == w.lock);
        assert(tenant(0) == uint256(w.free) + w.lock - finalCumulative);
        assert(tenant(64) == uint256(w.locked) - w.lock);
        assert(tenant(128) == uint256(w.openRate) - w.rate);
        assert(earned() == uint256(w.earned) + finalCumulative - w.settled);
    }
}

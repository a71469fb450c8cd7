// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {MarketEvents} from "../src/MarketEvents.sol";
import {ProtocolContract} from "../src/ProtocolContract.sol";
import {Base, Vm} from "./Base.sol";

/// @dev Leases that get longer, that are stopped, and that are closed without the operator.
contract ExitsTest is Base {
    uint64 private constant DEPOSIT = 1_000_000_000;
    uint96 private immutable KEY = keyOf(1, 7);
    uint256 private start;

    function setUp() public {
        setUpMarket();
        registerProviders(2);
        fund(TENANT, DEPOSIT);
        consent(TENANT);
        start = block.timestamp;
    }

    function lockOf(uint96 leaseKey) private view returns (uint64 lock) {
        (, lock,,,,) = market.leaseOf(leaseKey);
    }

    // --- Extending ---

    function test_a_tenant_extends_with_its_own_money_whatever_its_limit() public {
        open(TENANT, KEY, RATE, 100);
        vm.prank(TENANT);
        market.setSpendingLimit(0, 0, 0);
        vm.recordLogs();
        vm.prank(TENANT);
        market.extendLease(KEY, 50);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs[0].topics[0], MarketEvents.LeaseExtended.selector);
        vm.assertEq(logs[0].topics[3], bytes32(uint256(uint160(TENANT))));
        vm.assertEq(logs[0].data, abi.encode(uint64(50_000), uint64(150_000)));
        vm.assertEq(lockOf(KEY), 150_000);
        vm.assertEq(market.tenantOf(TENANT).free, DEPOSIT - 150_000);
        vm.assertEq(market.tenantOf(TENANT).locked, 150_000);
        vm.assertEq(market.tenantOf(TENANT).ratePerHour, RATE);
        vm.warp(start + 150);
        settle(single(KEY, 150_000));
        vm.assertEq(settledOf(KEY), 150_000);
    }

    function test_the_operator_extends_within_the_limit_only() public {
        vm.prank(TENANT);
        market.setSpendingLimit(RATE, 150_000, uint40(start + 10));
        open(TENANT, KEY, RATE, 100);
        vm.expectRevert(
            abi.encodeWithSelector(MarketEvents.SpendingLimitExceeded.selector, TENANT, 151_000, 150_000)
        );
        vm.prank(OPERATOR);
        market.extendLease(KEY, 51);
        vm.prank(OPERATOR);
        market.extendLease(KEY, 50);
        vm.assertEq(lockOf(KEY), 150_000);
        vm.warp(start + 11);
        vm.expectRevert(
            abi.encodeWithSelector(MarketEvents.SpendingLimitExpired.selector, TENANT, start + 10)
        );
        vm.prank(OPERATOR);
        market.extendLease(KEY, 1);
    }

    function test_nobody_else_extends_and_only_what_is_open_and_paid_for() public {
        open(TENANT, KEY, RATE, 100);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAccessControl.AccessControlUnauthorizedAccount.selector, ownerOf(1), market.OPERATOR_ROLE()
            )
        );
        vm.prank(ownerOf(1));
        market.extendLease(KEY, 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                MarketEvents.InsufficientFree.selector, TENANT, DEPOSIT - 100_000, DEPOSIT
            )
        );
        vm.prank(TENANT);
        market.extendLease(KEY, 1_000_000);
        vm.expectRevert(abi.encodeWithSelector(MarketEvents.ZeroDuration.selector));
        vm.prank(TENANT);
        market.extendLease(KEY, 0);
        vm.expectRevert(abi.encodeWithSelector(MarketEvents.UnknownLease.selector, keyOf(1, 8)));
        vm.prank(TENANT);
        market.extendLease(keyOf(1, 8), 1);
        vm.prank(PAUSER);
        market.pause();
        vm.expectRevert(abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        vm.prank(TENANT);
        market.extendLease(KEY, 1);
        vm.prank(PAUSER);
        market.unpause();
        vm.prank(OPERATOR);
        market.closeLease(KEY, 0);
        vm.expectRevert(abi.encodeWithSelector(MarketEvents.LeaseNotOpen.selector, KEY));
        vm.prank(TENANT);
        market.extendLease(KEY, 1);
    }

    // --- Suspended providers ---

    function test_a_suspended_provider_gets_no_lease_and_keeps_its_money() public {
        open(TENANT, KEY, RATE, 100);
        vm.prank(SUSPENDER);
        registry.setSuspended(1, true, "proof failed");
        vm.expectRevert(abi.encodeWithSelector(MarketEvents.ProviderSuspended.selector, 1));
        open(TENANT, keyOf(1, 8), RATE, 100);
        vm.warp(start + 10);
        settle(single(KEY, 10_000));
        vm.prank(payoutOf(1));
        market.claim(1);
        vm.assertEq(token.balanceOf(payoutOf(1)), 10_000);
        vm.prank(SUSPENDER);
        registry.setSuspended(1, false, "proven again");
        open(TENANT, keyOf(1, 8), RATE, 100);
    }

    // --- Stopping ---

    function test_stopping_frees_at_once_what_time_cannot_have_earned() public {
        open(TENANT, KEY, RATE, 100_000);
        vm.warp(start + 1_000);
        settle(single(KEY, 400_000));
        vm.recordLogs();
        vm.prank(TENANT);
        market.stopLease(KEY);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs[0].topics[0], MarketEvents.LeaseStopped.selector);
        vm.assertEq(logs[0].topics[1], bytes32(uint256(KEY)));
        vm.assertEq(logs[0].topics[3], bytes32(uint256(uint160(TENANT))));
        // 1,000 s are over, an hour is left to notice: 4,600 s.
        vm.assertEq(logs[0].data, abi.encode(start + 4_600, uint64(4_600_000), uint64(95_400_000)));
        vm.assertEq(lockOf(KEY), 4_600_000);
        vm.assertEq(market.tenantOf(TENANT).free, DEPOSIT - 4_600_000);
        vm.assertEq(market.tenantOf(TENANT).locked, 4_600_000);
        vm.expectRevert(abi.encodeWithSelector(MarketEvents.LeaseIsStopped.selector, KEY));
        vm.prank(TENANT);
        market.stopLease(KEY);
        vm.expectRevert(abi.encodeWithSelector(MarketEvents.LeaseIsStopped.selector, KEY));
        vm.prank(OPERATOR);
        market.extendLease(KEY, 1);
        vm.warp(start + 90_000);
        settle(single(KEY, 4_600_001));
        vm.assertEq(settledOf(KEY), 400_000);
        vm.prank(OPERATOR);
        market.closeLease(KEY, 4_600_000);
        vm.assertEq(market.tenantOf(TENANT).free, DEPOSIT - 4_600_000);
        vm.assertEq(market.tenantOf(TENANT).locked, 0);
        vm.assertEq(market.tenantOf(TENANT).ratePerHour, 0);
    }

    function test_stopping_shortly_before_the_end_frees_nothing() public {
        open(TENANT, KEY, RATE, 3_600);
        vm.prank(ownerOf(1));
        market.stopLease(KEY);
        vm.assertEq(lockOf(KEY), 3_600_000);
        (bool stopped, uint40 closableAt) = market.exitOf(KEY);
        vm.assertTrue(stopped);
        vm.assertEq(closableAt, start + FORCE_CLOSE_AFTER);
    }

    function test_only_parties_stop_and_only_what_is_open() public {
        open(TENANT, KEY, RATE, 100);
        vm.expectRevert(abi.encodeWithSelector(MarketEvents.NotParty.selector, OPERATOR));
        vm.prank(OPERATOR);
        market.stopLease(KEY);
        vm.expectRevert(abi.encodeWithSelector(MarketEvents.NotParty.selector, ownerOf(2)));
        vm.prank(ownerOf(2));
        market.stopLease(KEY);
        vm.expectRevert(abi.encodeWithSelector(MarketEvents.UnknownLease.selector, keyOf(1, 8)));
        vm.prank(TENANT);
        market.stopLease(keyOf(1, 8));
        vm.prank(OPERATOR);
        market.closeLease(KEY, 0);
        vm.expectRevert(abi.encodeWithSelector(MarketEvents.LeaseNotOpen.selector, KEY));
        vm.prank(TENANT);
        market.stopLease(KEY);
    }

    /// @dev An operator that keeps talking holds a stopped lease no longer than a silent one.
    function test_a_stopped_lease_closes_however_much_the_operator_talks() public {
        open(TENANT, KEY, RATE, 10 days);
        vm.warp(start + 2 hours);
        settle(single(KEY, 1));
        vm.prank(TENANT);
        market.stopLease(KEY);
        (, uint40 closableAt) = market.exitOf(KEY);
        vm.assertEq(closableAt, start + 2 hours + FORCE_CLOSE_AFTER);
        for (uint64 hour = 3; hour < 30; hour++) {
            vm.warp(start + hour * 1 hours);
            settle(single(KEY, hour));
            (, closableAt) = market.exitOf(KEY);
            vm.assertLe(closableAt, start + 3 hours + FORCE_CLOSE_AFTER, "the operator holds it back");
        }
        vm.prank(TENANT);
        market.forceClose(KEY);
        vm.assertEq(market.tenantOf(TENANT).free, DEPOSIT - 29);
    }

    /// @dev The bound is the last use of the lock, to the second.
    function test_a_lease_whose_lock_is_used_up_closes_a_day_later() public {
        open(TENANT, KEY, 7, 3_600);
        uint256 usedUpAt = start + 3_600;
        vm.warp(start + 3_599);
        settle(single(KEY, 1));
        vm.warp(start + 20 hours);
        settle(single(KEY, 2));
        vm.warp(usedUpAt + FORCE_CLOSE_AFTER - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                MarketEvents.OperatorNotSilent.selector, KEY, usedUpAt + FORCE_CLOSE_AFTER
            )
        );
        vm.prank(ownerOf(1));
        market.forceClose(KEY);
        vm.warp(usedUpAt + FORCE_CLOSE_AFTER);
        vm.prank(ownerOf(1));
        market.forceClose(KEY);
        vm.assertEq(market.earningsOf(1).earned, 2);
        vm.expectRevert(abi.encodeWithSelector(MarketEvents.LeaseNotOpen.selector, KEY));
        market.exitOf(KEY);
    }

    function closableAtOf(uint96 leaseKey) private view returns (uint256 closableAt) {
        (, closableAt) = market.exitOf(leaseKey);
    }

    function test_zero_time_is_the_first_second_in_which_the_lock_is_earned() public {
        // Locks 2 micros at 7 an hour: earned after 1,028.57 s.
        open(TENANT, KEY, 7, 1_000);
        vm.warp(start + 1_028);
        vm.assertEq(market.settleableOf(KEY), 1);
        vm.warp(start + 1_029);
        vm.assertEq(market.settleableOf(KEY), 2);
        settle(single(KEY, 2));
        vm.assertEq(closableAtOf(KEY), start + 1_029 + FORCE_CLOSE_AFTER);
    }

    function test_the_last_word_counts_and_no_earlier_one() public {
        open(TENANT, KEY, RATE, 100_000);
        vm.assertEq(closableAtOf(KEY), start + FORCE_CLOSE_AFTER);
        vm.warp(start + 60);
        settle(single(KEY, 1));
        vm.assertEq(closableAtOf(KEY), start + 60 + FORCE_CLOSE_AFTER);
        vm.warp(start + 61);
        settle(single(KEY, 2));
        vm.assertEq(closableAtOf(KEY), start + 120 + FORCE_CLOSE_AFTER);
    }

    /// @dev 24 bits of minutes are 31 years; later words count as of then, which frees the lease and never holds it.
    function test_a_word_after_many_years_counts_as_old() public {
        uint256 most = uint256(type(uint24).max) * 60;
        fund(TENANT, 2e9);
        open(TENANT, KEY, 3_600, 60 * 365 days);
        vm.warp(start + 40 * 365 days);
        settle(single(KEY, 1));
        vm.assertEq(closableAtOf(KEY), start + most + FORCE_CLOSE_AFTER);
        vm.prank(TENANT);
        market.forceClose(KEY);
    }

    /// @dev Whenever it is stopped, the rest of the lock covers all that time has earned, and nothing beyond the notice.
    function testFuzz_a_stop_keeps_what_is_earned_and_no_more(
        uint64 rate,
        uint32 duration,
        uint32 elapsed,
        uint64 part
    ) public {
        rate = rate % 1e12 + 1;
        duration = duration % (60 days) + 1;
        uint256 lock = (uint256(rate) * duration + 3599) / 3600;
        fund(TENANT, uint64(lock));
        open(TENANT, KEY, rate, duration);
        elapsed = elapsed % (90 days);
        vm.warp(start + elapsed);
        uint64 settleable = market.settleableOf(KEY);
        uint64 settled = settleable == 0 ? 0 : part % settleable;
        if (settled != 0) settle(single(KEY, settled));
        uint64 freeBefore = market.tenantOf(TENANT).free;
        vm.prank(TENANT);
        market.stopLease(KEY);
        uint256 atEnd = uint256(rate) * (elapsed + 3600) / 3600;
        uint256 kept = atEnd < lock ? atEnd : lock;
        vm.assertEq(lockOf(KEY), kept);
        vm.assertEq(market.tenantOf(TENANT).free, freeBefore + lock - kept);
        vm.assertEq(market.tenantOf(TENANT).locked, kept);
        vm.assertGe(lockOf(KEY), settleable, "earned but not kept");
        vm.warp(block.timestamp + 3600 + FORCE_CLOSE_AFTER + 1 days);
        vm.prank(TENANT);
        market.forceClose(KEY);
        vm.assertEq(market.tenantOf(TENANT).free, DEPOSIT + lock - settled);
        vm.assertEq(market.tenantOf(TENANT).locked, 0);
        vm.assertEq(market.earningsOf(1).earned, settled);
    }

    function test_a_pause_stops_no_way_out() public {
        open(TENANT, KEY, RATE, 100_000);
        vm.prank(PAUSER);
        market.pause();
        vm.prank(TENANT);
        market.stopLease(KEY);
        vm.prank(TENANT);
        market.setSpendingLimit(0, 0, 0);
        vm.warp(start + 1 hours + FORCE_CLOSE_AFTER);
        vm.prank(TENANT);
        market.forceClose(KEY);
        vm.prank(TENANT);
        market.withdraw(DEPOSIT);
        vm.assertEq(token.balanceOf(TENANT), DEPOSIT);
    }

    function test_zero_addresses_and_short_timelocks_are_refused() public {
        bytes memory zero = abi.encodeWithSelector(ProtocolContract.ZeroAddress.selector);
        refusesDeployment(abi.encode(address(0), registry, timelock, FORCE_CLOSE_AFTER), zero);
        refusesDeployment(abi.encode(token, address(0), timelock, FORCE_CLOSE_AFTER), zero);
        refusesDeployment(abi.encode(token, registry, address(0), FORCE_CLOSE_AFTER), zero);
        uint32 longest = uint32(UPGRADE_DELAY - 1 hours);
        refusesDeployment(
            abi.encode(token, registry, timelock, longest + 1),
            abi.encodeWithSelector(ProtocolContract.TimelockTooShort.selector, UPGRADE_DELAY, UPGRADE_DELAY + 1)
        );
        deploy("ComputeMarket", abi.encode(token, registry, timelock, longest));
    }

    function refusesDeployment(bytes memory arguments, bytes memory refusal) private {
        (address deployed, bytes memory reason) = tryDeploy("ComputeMarket", arguments);
        vm.assertEq(deployed, address(0));
        vm.assertEq(reason, refusal);
    }
}

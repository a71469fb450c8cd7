// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {MarketEvents} from "../src/MarketEvents.sol";
import {PackedBatch} from "../src/PackedBatch.sol";
import {ProtocolContract} from "../src/ProtocolContract.sol";
import {Base, Vm} from "./Base.sol";

contract ComputeMarketTest is Base {
    uint64 private constant DEPOSIT = 1_000_000_000;
    uint96 private immutable KEY = keyOf(1, 7);
    bytes32 private constant PERMIT =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    function setUp() public {
        setUpMarket();
        registerProviders(3);
        fund(TENANT, DEPOSIT);
        consent(TENANT);
    }

    function refuses(bytes memory refusal) private {
        vm.expectRevert(refusal);
    }

    // --- Deposits and withdrawals ---

    function test_what_is_free_can_leave_at_any_time() public {
        vm.assertEq(market.tenantOf(TENANT).free, DEPOSIT);
        vm.prank(TENANT);
        market.withdraw(DEPOSIT);
        vm.assertEq(token.balanceOf(TENANT), DEPOSIT);
        refuses(abi.encodeWithSelector(MarketEvents.InsufficientFree.selector, TENANT, 0, 1));
        vm.prank(TENANT);
        market.withdraw(1);
    }

    function test_zero_amounts_are_refused() public {
        refuses(abi.encodeWithSelector(ProtocolContract.ZeroAmount.selector));
        market.deposit(0);
        refuses(abi.encodeWithSelector(ProtocolContract.ZeroAmount.selector));
        market.withdraw(0);
    }

    function test_balances_stay_below_2_to_the_63() public {
        uint64 most = market.MAX_AMOUNT();
        token.mint(TENANT, most);
        vm.prank(TENANT);
        token.approve(address(market), most);
        refuses(abi.encodeWithSelector(ProtocolContract.AmountTooLarge.selector));
        vm.prank(TENANT);
        market.deposit(most);
    }

    function test_permit_deposits_also_when_somebody_was_faster_with_the_permit() public {
        address alice = vm.addr(0xA11CE);
        token.mint(alice, 100);
        uint256 deadline = block.timestamp + 60;
        bytes32 content = keccak256(abi.encode(PERMIT, alice, address(market), uint256(100), uint256(0), deadline));
        bytes32 digest = keccak256(abi.encodePacked("\x19\x01", token.DOMAIN_SEPARATOR(), content));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(0xA11CE, digest);
        token.permit(alice, address(market), 100, deadline, v, r, s);
        vm.prank(alice);
        market.depositWithPermit(100, deadline, v, r, s);
        vm.assertEq(market.tenantOf(alice).free, 100);
    }

    // --- Opening ---

    function test_opening_locks_ceil_of_rate_times_duration() public {
        open(TENANT, KEY, 1, 3601);
        (address tenant, uint64 lock,, uint64 rate, uint40 openedAt, bool isOpen) = market.leaseOf(KEY);
        vm.assertEq(tenant, TENANT);
        vm.assertEq(lock, 2);
        vm.assertEq(rate, 1);
        vm.assertEq(openedAt, block.timestamp);
        vm.assertTrue(isOpen);
        vm.assertEq(market.tenantOf(TENANT).locked, 2);
        vm.assertEq(market.tenantOf(TENANT).free, DEPOSIT - 2);
    }

    function test_only_the_operator_opens_settles_and_closes() public {
        bytes32 role = market.OPERATOR_ROLE();
        bytes memory refusal =
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, ADMIN, role);
        refuses(refusal);
        vm.prank(ADMIN);
        market.openLease(KEY, TENANT, RATE, 60, 0);
        refuses(refusal);
        vm.prank(ADMIN);
        market.settleBatch(single(KEY, 1));
        refuses(refusal);
        vm.prank(ADMIN);
        market.closeLease(KEY, 0);
    }

    function test_opening_needs_consent_in_time_rate_and_lock() public {
        vm.prank(TENANT);
        market.setSpendingLimit(RATE, 3_000_000, uint40(block.timestamp));
        refuses(abi.encodeWithSelector(MarketEvents.RateLimitExceeded.selector, TENANT, RATE + 1, RATE));
        open(TENANT, KEY, RATE + 1, 60);
        refuses(abi.encodeWithSelector(MarketEvents.SpendingLimitExceeded.selector, TENANT, 3_600_000, 3_000_000));
        open(TENANT, KEY, RATE, 3600);
        open(TENANT, KEY, RATE / 2, 3600);
        // The bounds are on what is open at one time.
        refuses(abi.encodeWithSelector(MarketEvents.RateLimitExceeded.selector, TENANT, RATE + 1, RATE));
        open(TENANT, keyOf(1, 8), RATE / 2 + 1, 60);
        refuses(abi.encodeWithSelector(MarketEvents.SpendingLimitExceeded.selector, TENANT, 3_600_000, 3_000_000));
        open(TENANT, keyOf(1, 8), RATE / 2, 3600);
        vm.warp(block.timestamp + 1);
        refuses(abi.encodeWithSelector(MarketEvents.SpendingLimitExpired.selector, TENANT, block.timestamp - 1));
        open(TENANT, keyOf(1, 8), 1, 60);
    }

    function test_opening_needs_free_money_a_provider_and_an_unused_key() public {
        refuses(
            abi.encodeWithSelector(MarketEvents.InsufficientFree.selector, TENANT, DEPOSIT, uint64(RATE) * 1000)
        );
        open(TENANT, KEY, RATE, 3_600_000);
        refuses(abi.encodeWithSelector(MarketEvents.UnknownProvider.selector, 4));
        open(TENANT, keyOf(4, 1), RATE, 60);
        refuses(abi.encodeWithSelector(ProtocolContract.ZeroAmount.selector));
        open(TENANT, KEY, 0, 60);
        refuses(abi.encodeWithSelector(MarketEvents.ZeroDuration.selector));
        open(TENANT, KEY, RATE, 0);
        refuses(abi.encodeWithSelector(MarketEvents.SpendingLimitExpired.selector, STRANGER, 0));
        open(STRANGER, KEY, RATE, 60);
        open(TENANT, KEY, RATE, 60);
        refuses(abi.encodeWithSelector(MarketEvents.LeaseKeyUsed.selector, KEY));
        open(TENANT, KEY, RATE, 60);
    }

    function test_a_closed_key_is_never_opened_again() public {
        open(TENANT, KEY, RATE, 60);
        vm.prank(OPERATOR);
        market.closeLease(KEY, 0);
        refuses(abi.encodeWithSelector(MarketEvents.LeaseKeyUsed.selector, KEY));
        open(TENANT, KEY, RATE, 60);
    }

    // --- Settling ---

    function test_settling_pays_the_difference_and_reports_it() public {
        open(TENANT, KEY, RATE, 3600);
        vm.warp(block.timestamp + 10);
        settle(single(KEY, 4_000));
        vm.recordLogs();
        settle(single(KEY, 10_000));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 1);
        bytes memory rows = abi.decode(logs[0].data, (bytes));
        vm.assertEq(rows, abi.encodePacked(uint32(1), uint16(1), uint64(7), uint64(10_000), uint64(6_000)));
        vm.assertEq(settledOf(KEY), 10_000);
        vm.assertEq(market.earningsOf(1).earned, 10_000);
    }

    function test_a_bad_row_is_skipped_reported_and_holds_back_no_other() public {
        open(TENANT, KEY, RATE, 60);
        open(TENANT, keyOf(1, 8), RATE, 3600);
        open(TENANT, keyOf(2, 1), RATE, 3600);
        open(TENANT, keyOf(3, 1), RATE, 3600);
        vm.prank(OPERATOR);
        market.closeLease(keyOf(3, 1), 0);
        vm.warp(block.timestamp + 100);
        settle(single(keyOf(1, 8), 100));
        bytes memory first =
            abi.encodePacked(row(7, 60_001), row(8, 100), row(9, 1), row(7, 60_000));
        bytes memory second = abi.encodePacked(row(1, 100_001), row(1, 100_000));
        vm.recordLogs();
        settle(
            abi.encodePacked(group(1, 4, first), group(2, 2, second), group(3, 1, row(1, 1)), group(0, 1, row(5, 1)))
        );
        bytes memory expected = abi.encodePacked(
            abi.encodePacked(uint32(1), uint16(4)),
            abi.encodePacked(row(7, 60_001), skipped(4), row(8, 100), skipped(3)),
            abi.encodePacked(row(9, 1), skipped(1), row(7, 60_000), uint64(60_000)),
            abi.encodePacked(uint32(2), uint16(2), row(1, 100_001), skipped(5), row(1, 100_000), uint64(100_000)),
            abi.encodePacked(uint32(3), uint16(1), row(1, 1), skipped(2)),
            abi.encodePacked(uint32(0), uint16(1), row(5, 1), skipped(1))
        );
        vm.assertEq(abi.decode(vm.getRecordedLogs()[0].data, (bytes)), expected);
        vm.assertEq(market.earningsOf(1).earned, 60_100);
        vm.assertEq(market.earningsOf(2).earned, 100_000);
        vm.assertEq(market.earningsOf(3).earned, 0);
    }

    function skipped(uint64 reason) private pure returns (uint64) {
        return (1 << 63) | reason;
    }

    function test_malformed_batches_are_refused_whole() public {
        open(TENANT, KEY, RATE, 60);
        vm.warp(block.timestamp + 10);
        bytes[6] memory batches = [
            bytes(""),
            hex"0000000100",
            hex"0000000101",
            group(1, 0, ""),
            group(1, 2, row(7, 1)),
            abi.encodePacked(group(1, 1, row(7, 1)), uint8(0))
        ];
        for (uint256 i = 0; i < batches.length; i++) {
            refuses(abi.encodeWithSelector(PackedBatch.MalformedBatch.selector));
            settle(batches[i]);
        }
        vm.assertEq(settledOf(KEY), 0);
    }

    function test_nothing_is_earned_in_the_second_of_opening() public {
        open(TENANT, KEY, DEPOSIT * 3600, 1);
        settle(single(KEY, 1));
        vm.assertEq(settledOf(KEY), 0);
        vm.assertEq(market.settleableOf(KEY), 0);
    }

    /// @dev Any order and any duplicates of the same rows, in one batch or in many, end the same.
    function testFuzz_order_and_duplicates_do_not_matter(uint256 seed) public {
        open(TENANT, keyOf(1, 1), RATE, 3600);
        open(TENANT, keyOf(2, 1), RATE, 3600);
        vm.warp(block.timestamp + 1000);
        uint64 highestOne;
        uint64 highestTwo;
        bytes memory batch;
        for (uint256 i = 0; i < 12; i++) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint64 cumulative = uint64((seed >> 8) % 1_100_000);
            uint32 provider = uint32(seed & 1) + 1;
            if (cumulative <= 1_000_000) {
                if (provider == 1 && cumulative > highestOne) highestOne = cumulative;
                if (provider == 2 && cumulative > highestTwo) highestTwo = cumulative;
            }
            bytes memory one = single(keyOf(provider, 1), cumulative);
            if (seed & 2 == 0) settle(one);
            else batch = abi.encodePacked(batch, one, one);
        }
        if (batch.length != 0) settle(batch);
        vm.assertEq(settledOf(keyOf(1, 1)), highestOne);
        vm.assertEq(settledOf(keyOf(2, 1)), highestTwo);
        vm.assertEq(market.earningsOf(1).earned, highestOne);
        vm.assertEq(market.earningsOf(2).earned, highestTwo);
    }

    /// @dev One batch of many rows, good and bad, ends as the same rows do one by one.
    function testFuzz_a_batch_is_a_sequence_of_singles(uint256 seed) public {
        for (uint64 serial = 1; serial <= 4; serial++) open(TENANT, keyOf(1, serial), RATE * serial, 600);
        vm.prank(OPERATOR);
        market.closeLease(keyOf(1, 4), 0);
        vm.warp(block.timestamp + 300);
        bytes memory rows;
        bytes[] memory singles = new bytes[](12);
        for (uint256 i = 0; i < singles.length; i++) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint64 serial = uint64(seed % 5) + 1;
            uint64 cumulative = uint64((seed >> 8) % 1_500_000);
            rows = abi.encodePacked(rows, row(serial, cumulative));
            singles[i] = single(keyOf(1, serial), cumulative);
        }
        uint256 state = vm.snapshotState();
        settle(group(1, uint16(singles.length), rows));
        bytes32 together = endOf();
        vm.revertToState(state);
        for (uint256 i = 0; i < singles.length; i++) settle(singles[i]);
        vm.assertEq(endOf(), together);
    }

    function endOf() private view returns (bytes32) {
        return keccak256(
            abi.encode(
                settledOf(keyOf(1, 1)),
                settledOf(keyOf(1, 2)),
                settledOf(keyOf(1, 3)),
                settledOf(keyOf(1, 4)),
                market.earningsOf(1),
                market.tenantOf(TENANT)
            )
        );
    }

    function testFuzz_settles_exactly_up_to_lock_and_time(uint64 rate, uint32 duration, uint32 elapsed) public {
        rate = rate % 1e15 + 1;
        duration = duration % (365 days) + 1;
        uint256 lock = (uint256(rate) * duration + 3599) / 3600;
        if (lock > market.MAX_AMOUNT() / 2) return;
        fund(TENANT, uint64(lock));
        open(TENANT, KEY, rate, duration);
        vm.warp(block.timestamp + elapsed);
        uint256 earned = uint256(rate) * elapsed / 3600;
        uint64 most = uint64(earned < lock ? earned : lock);
        vm.assertEq(market.settleableOf(KEY), most);
        settle(single(KEY, most + 1));
        vm.assertEq(settledOf(KEY), 0);
        settle(single(KEY, most));
        vm.assertEq(settledOf(KEY), most);
    }

    // --- Closing ---

    function test_closing_pays_the_rest_and_frees_the_lock_once() public {
        open(TENANT, KEY, RATE, 60);
        vm.warp(block.timestamp + 10);
        settle(single(KEY, 3_000));
        vm.prank(OPERATOR);
        market.closeLease(KEY, 10_000);
        vm.assertEq(market.earningsOf(1).earned, 10_000);
        vm.assertEq(market.tenantOf(TENANT).free, DEPOSIT - 10_000);
        vm.assertEq(market.tenantOf(TENANT).locked, 0);
        vm.assertEq(market.tenantOf(TENANT).ratePerHour, 0);
        refuses(abi.encodeWithSelector(MarketEvents.LeaseNotOpen.selector, KEY));
        vm.prank(OPERATOR);
        market.closeLease(KEY, 10_000);
        settle(single(KEY, 10_001));
        vm.assertEq(settledOf(KEY), 10_000);
    }

    function test_closing_refuses_what_it_would_have_to_alter() public {
        open(TENANT, KEY, RATE, 10);
        vm.warp(block.timestamp + 5);
        settle(single(KEY, 3_000));
        refuses(abi.encodeWithSelector(MarketEvents.LessThanSettled.selector, KEY, 2_999, 3_000));
        vm.prank(OPERATOR);
        market.closeLease(KEY, 2_999);
        refuses(abi.encodeWithSelector(MarketEvents.MoreThanLock.selector, KEY, 10_001, 10_000));
        vm.prank(OPERATOR);
        market.closeLease(KEY, 10_001);
        refuses(abi.encodeWithSelector(MarketEvents.MoreThanEarned.selector, KEY, 5_001, 5_000));
        vm.prank(OPERATOR);
        market.closeLease(KEY, 5_001);
        refuses(abi.encodeWithSelector(MarketEvents.UnknownLease.selector, keyOf(1, 8)));
        vm.prank(OPERATOR);
        market.closeLease(keyOf(1, 8), 0);
    }

    function test_tenant_and_provider_close_when_the_operator_is_silent() public {
        open(TENANT, KEY, RATE, 1_000);
        open(TENANT, keyOf(1, 8), RATE, 1_000);
        uint256 start = block.timestamp;
        vm.warp(start + 61);
        settle(single(KEY, 60_000));
        // The word is kept in minutes, rounded up: never early.
        uint256 closableAt = start + 120 + FORCE_CLOSE_AFTER;
        vm.warp(closableAt - 1);
        refuses(abi.encodeWithSelector(MarketEvents.OperatorNotSilent.selector, KEY, closableAt));
        vm.prank(TENANT);
        market.forceClose(KEY);
        vm.warp(closableAt);
        refuses(abi.encodeWithSelector(MarketEvents.NotParty.selector, STRANGER));
        vm.prank(STRANGER);
        market.forceClose(KEY);
        vm.prank(TENANT);
        market.forceClose(KEY);
        vm.prank(ownerOf(1));
        market.forceClose(keyOf(1, 8));
        vm.assertEq(market.earningsOf(1).earned, 60_000);
        vm.assertEq(market.tenantOf(TENANT).free, DEPOSIT - 60_000);
        vm.assertEq(market.tenantOf(TENANT).locked, 0);
    }

    // --- Claims ---

    function test_owner_or_payout_claims_to_the_payout_address() public {
        open(TENANT, KEY, RATE, 60);
        vm.warp(block.timestamp + 10);
        settle(single(KEY, 4_000));
        refuses(abi.encodeWithSelector(MarketEvents.NotParty.selector, STRANGER));
        vm.prank(STRANGER);
        market.claim(1);
        vm.prank(ownerOf(1));
        vm.assertEq(market.claim(1), 4_000);
        refuses(abi.encodeWithSelector(ProtocolContract.ZeroAmount.selector));
        vm.prank(payoutOf(1));
        market.claim(1);
        settle(single(KEY, 9_000));
        vm.prank(payoutOf(1));
        market.claim(1);
        vm.assertEq(token.balanceOf(payoutOf(1)), 9_000);
        vm.assertEq(market.earningsOf(1).claimed, 9_000);
        refuses(abi.encodeWithSelector(MarketEvents.UnknownProvider.selector, 4));
        market.claim(4);
    }

    // --- Pause ---

    function test_a_pause_stops_what_comes_in_and_never_an_exit() public {
        open(TENANT, KEY, RATE, 1_000);
        open(TENANT, keyOf(1, 8), RATE, 1_000);
        vm.warp(block.timestamp + 10);
        settle(single(KEY, 4_000));
        vm.prank(PAUSER);
        market.pause();
        bytes memory paused = abi.encodeWithSelector(Pausable.EnforcedPause.selector);
        refuses(paused);
        market.deposit(1);
        refuses(paused);
        open(TENANT, keyOf(1, 9), RATE, 60);
        refuses(paused);
        settle(single(KEY, 5_000));
        vm.prank(TENANT);
        market.withdraw(1);
        vm.prank(payoutOf(1));
        market.claim(1);
        vm.prank(OPERATOR);
        market.closeLease(KEY, 10_000);
        vm.warp(block.timestamp + 2 days);
        vm.prank(TENANT);
        market.forceClose(keyOf(1, 8));
        vm.assertEq(market.tenantOf(TENANT).locked, 0);
        vm.prank(PAUSER);
        market.unpause();
        fund(STRANGER, 1);
    }
}

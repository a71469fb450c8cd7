// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Order, SignedConsent} from "../src/SignedConsent.sol";
import {Base} from "./Base.sol";

/// @dev Every key of the operator is in the wrong hands: relayer, pauser, rater, suspender, slasher, disputer, poster.
/// The thief also owns a provider. It can take what time earns under leases that tenants have allowed, and hold nobody.
contract RogueOperatorTest is Base {
    uint256 private constant DEPOSIT = 1e12;
    uint32 private constant THIEF = 2;
    uint64 private constant LIMIT_RATE = 10 * RATE;
    uint64 private constant LIMIT_LOCK = 500_000_000;
    address private constant CAREFUL = address(0xCA2E);
    uint256 private start;

    function setUp() public {
        setUpMarket();
        registerProviders(2);
        fund(TENANT, uint64(DEPOSIT));
        fund(CAREFUL, uint64(DEPOSIT));
        vm.prank(TENANT);
        market.setSpendingLimit(LIMIT_RATE, LIMIT_LOCK, FOREVER);
        start = block.timestamp;
    }

    function attempt(bytes memory call) private returns (bool done) {
        vm.prank(OPERATOR);
        (done,) = address(market).call(call);
    }

    /// @dev Tries whatever the operator's key can call, at random, for a simulated month.
    function testFuzz_with_every_key_the_thief_takes_no_more_than_time_has_earned(uint256 seed) public {
        uint64 serial;
        for (uint256 i = 0; i < 120; i++) {
            seed = uint256(keccak256(abi.encode(seed)));
            address victim = seed & 1 == 0 ? TENANT : CAREFUL;
            uint96 key = keyOf(THIEF, serial == 0 ? 1 : uint64(seed >> 8) % serial + 1);
            uint64 amount = uint64(seed >> 16);
            uint256 what = (seed >> 80) % 6;
            if (what == 0) {
                uint64 rate = amount % (3 * LIMIT_RATE) + 1;
                uint32 duration = uint32(seed >> 96) % 2_000_000 + 1;
                bytes memory call =
                    abi.encodeCall(market.openLease, (keyOf(THIEF, serial + 1), victim, rate, duration, 0));
                if (attempt(call)) serial++;
            } else if (what == 1) {
                attempt(abi.encodeCall(market.settleBatch, (single(key, amount % (2 * LIMIT_LOCK)))));
            } else if (what == 2) {
                attempt(abi.encodeCall(market.settleBatch, (single(key, market.settleableOf(key)))));
            } else if (what == 3) {
                attempt(abi.encodeCall(market.closeLease, (key, amount % (2 * LIMIT_LOCK))));
            } else if (what == 4) {
                attempt(abi.encodeCall(market.extendLease, (key, uint32(seed >> 96) % 1_000_000)));
            } else {
                vm.warp(block.timestamp + (seed >> 96) % 12 hours);
            }
        }
        // The bound: the highest hourly rate that was allowed, for all the time; and nothing of who allowed nothing.
        uint256 earned = market.earningsOf(THIEF).earned;
        vm.assertLe(earned, uint256(LIMIT_RATE) * (block.timestamp - start) / 3600, "more than time");
        vm.assertEq(market.tenantOf(CAREFUL).free, DEPOSIT);
        vm.assertLe(market.tenantOf(TENANT).locked, LIMIT_LOCK, "more locked than allowed");
        vm.assertEq(market.earningsOf(1).earned, 0);
        walkAway(serial, earned);
    }

    /// @dev The tenant walks away while the thief goes on trying to hold it.
    function walkAway(uint64 serials, uint256 earnedBefore) private {
        vm.prank(TENANT);
        market.setSpendingLimit(0, 0, 0);
        uint256 rate = market.tenantOf(TENANT).ratePerHour;
        for (uint64 serial = 1; serial <= serials; serial++) {
            (,,,,, bool isOpen) = market.leaseOf(keyOf(THIEF, serial));
            if (!isOpen) continue;
            vm.prank(TENANT);
            market.stopLease(keyOf(THIEF, serial));
        }
        for (uint256 hour = 0; hour < 26; hour++) {
            vm.warp(block.timestamp + 1 hours);
            for (uint64 serial = 1; serial <= serials; serial++) {
                uint96 key = keyOf(THIEF, serial);
                attempt(abi.encodeCall(market.settleBatch, (single(key, settledOf(key) + 1))));
                vm.assertFalse(attempt(abi.encodeCall(market.extendLease, (key, 1))));
            }
            vm.assertFalse(
                attempt(abi.encodeCall(market.openLease, (keyOf(THIEF, 1 << 40), TENANT, 1, 1, 0)))
            );
        }
        for (uint64 serial = 1; serial <= serials; serial++) {
            (,,,,, bool isOpen) = market.leaseOf(keyOf(THIEF, serial));
            if (!isOpen) continue;
            vm.prank(TENANT);
            market.forceClose(keyOf(THIEF, serial));
        }
        uint64 free = market.tenantOf(TENANT).free;
        vm.prank(TENANT);
        market.withdraw(free);
        uint256 lost = DEPOSIT - token.balanceOf(TENANT);
        vm.assertEq(lost, market.earningsOf(THIEF).earned);
        vm.assertLe(lost - earnedBefore, rate, "more than the hour of notice");
    }

    function test_with_every_key_nobody_can_be_held() public {
        address owner = ownerOf(1);
        token.mint(owner, 1_000);
        vm.startPrank(owner);
        token.approve(address(registry), 1_000);
        registry.stake(1_000);
        vm.stopPrank();
        vm.prank(OPERATOR);
        market.openLease(keyOf(1, 1), TENANT, RATE, 100_000, 0);
        vm.warp(start + 100);
        settle(single(keyOf(1, 1), 100_000));
        // All that can be switched off is switched off.
        vm.startPrank(PAUSER);
        market.pause();
        registry.pause();
        rewards.pause();
        vm.stopPrank();
        vm.prank(SUSPENDER);
        registry.setSuspended(1, true, 0);
        vm.prank(RATER);
        registry.setTier(1, 7);
        vm.prank(payoutOf(1));
        market.claim(1);
        vm.prank(owner);
        registry.requestUnstake(1_000);
        vm.prank(TENANT);
        market.stopLease(keyOf(1, 1));
        vm.prank(CAREFUL);
        market.withdraw(uint64(DEPOSIT));
        vm.warp(start + THAW + 100);
        vm.prank(owner);
        registry.withdrawUnstaked();
        vm.prank(TENANT);
        market.forceClose(keyOf(1, 1));
        vm.prank(TENANT);
        market.withdraw(uint64(DEPOSIT) - 100_000);
        vm.assertEq(token.balanceOf(address(market)), 0);
        vm.assertEq(token.balanceOf(address(registry)), 0);
        vm.assertEq(token.balanceOf(payoutOf(1)), 100_000);
    }

    /// @dev Slasher and disputer in one hand: what leaves in the first era is gone with half at most, the rest can be
    /// taken out by its owner, and earnings are never touched.
    function test_a_thief_of_the_slashing_keys_is_held_by_the_cap() public {
        address owner = ownerOf(1);
        token.mint(owner, 1_000);
        vm.startPrank(owner);
        token.approve(address(registry), 1_000);
        registry.stake(1_000);
        registry.requestUnstake(1_000);
        vm.stopPrank();
        uint32[4] memory ids;
        for (uint256 i = 0; i < 4; i++) {
            vm.prank(SLASHER);
            ids[i] = registry.proposeSlash(1, 1_000, STRANGER, 1_000, "made up");
        }
        vm.warp(start + DISPUTE);
        for (uint256 i = 0; i < 4; i++) {
            try registry.executeSlash(ids[i]) {} catch {}
        }
        vm.assertEq(registry.creditOf(STRANGER), 500);
    }

    function test_a_signature_serves_once_whoever_holds_the_keys() public {
        uint256 secret = 0x5EC;
        address signer = vm.addr(secret);
        fund(signer, 1e9);
        Order memory order = Order(signer, 1, RATE, 1_000_000, uint40(start + 60), 1, 0);
        bytes memory signature = signed(secret, market.hashOrder(order));
        vm.prank(OPERATOR);
        market.openLeaseWithOrder(keyOf(1, 1), RATE, 1_000, 0, order, signature);
        vm.prank(OPERATOR);
        market.closeLease(keyOf(1, 1), 0);
        vm.expectRevert(abi.encodeWithSelector(SignedConsent.NonceUsed.selector, signer, 1));
        vm.prank(OPERATOR);
        market.openLeaseWithOrder(keyOf(1, 2), RATE, 1_000, 0, order, signature);
        vm.assertEq(market.tenantOf(signer).free, 1e9);
    }
}

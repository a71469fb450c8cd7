// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ProtocolContract} from "../src/ProtocolContract.sol";
import {ProviderRegistry} from "../src/ProviderRegistry.sol";
import {RegistryEvents} from "../src/RegistryEvents.sol";
import {Base, Vm} from "./Base.sol";

/// @dev Tiers, suspension, and what happens to a stake that is slashed.
contract SlashingTest is Base {
    address private immutable OWNER = ownerOf(1);
    uint256 private start;

    function setUp() public {
        setUpMarket();
        registerProviders(2);
        // The first second of an era, so that tests can count.
        start = 1_700_006_400;
        vm.warp(start);
        token.mint(OWNER, 1_000);
        vm.startPrank(OWNER);
        token.approve(address(registry), 1_000);
        registry.stake(1_000);
        vm.stopPrank();
    }

    function propose(uint64 amount, uint64 compensation) private returns (uint32) {
        vm.prank(SLASHER);
        return registry.proposeSlash(1, amount, TENANT, compensation, "evidence");
    }

    function executed(uint64 amount, uint64 compensation) private {
        uint32 id = propose(amount, compensation);
        vm.warp(block.timestamp + DISPUTE);
        registry.executeSlash(id);
    }

    function unstake(uint64 amount) private {
        vm.prank(OWNER);
        registry.requestUnstake(amount);
    }

    function withdraw() private {
        vm.prank(OWNER);
        registry.withdrawUnstaked();
    }

    function lacksRole(address account, bytes32 role) private {
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, account, role)
        );
    }

    // --- Tiers and suspension ---

    function test_tiers_are_1_to_7_and_set_by_their_role() public {
        vm.assertEq(registry.providerOf(1).tier, 0);
        lacksRole(SLASHER, registry.TIER_ROLE());
        vm.prank(SLASHER);
        registry.setTier(1, 1);
        for (uint8 tier = 0; tier <= 8; tier++) {
            bool good = tier >= 1 && tier <= 7;
            if (!good) vm.expectRevert(abi.encodeWithSelector(RegistryEvents.InvalidTier.selector, tier));
            vm.prank(RATER);
            registry.setTier(1, tier);
            if (good) vm.assertEq(registry.providerOf(1).tier, tier);
        }
        vm.expectRevert(abi.encodeWithSelector(RegistryEvents.UnknownProvider.selector, 3));
        vm.prank(RATER);
        registry.setTier(3, 1);
    }

    function test_suspension_is_set_and_lifted_by_its_role() public {
        lacksRole(RATER, registry.SUSPENDER_ROLE());
        vm.prank(RATER);
        registry.setSuspended(1, true, 0);
        vm.prank(SUSPENDER);
        registry.setSuspended(1, true, 0);
        (address owner, bool suspended) = registry.standingOf(1);
        vm.assertEq(owner, OWNER);
        vm.assertTrue(suspended);
        unstake(1_000);
        vm.warp(start + THAW);
        withdraw();
        vm.assertEq(token.balanceOf(OWNER), 1_000);
        vm.prank(SUSPENDER);
        registry.setSuspended(1, false, 0);
        (, suspended) = registry.standingOf(1);
        vm.assertFalse(suspended);
        vm.expectRevert(abi.encodeWithSelector(RegistryEvents.UnknownProvider.selector, 3));
        vm.prank(SUSPENDER);
        registry.setSuspended(3, true, 0);
    }

    // --- The way of a slash ---

    function test_a_slash_waits_then_pays_the_tenant_first_and_then_the_treasury() public {
        vm.recordLogs();
        uint32 id = propose(400, 300);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs[0].topics[0], RegistryEvents.SlashProposed.selector);
        vm.assertEq(
            logs[0].data, abi.encode(uint64(400), uint64(300), uint32(start + DISPUTE), bytes32("evidence"))
        );
        vm.assertEq(uint8(registry.slashOf(id).state), uint8(ProviderRegistry.SlashState.Pending));
        vm.assertEq(registry.slashOf(id).evidenceHash, bytes32("evidence"));
        vm.warp(start + DISPUTE - 1);
        vm.expectRevert(abi.encodeWithSelector(RegistryEvents.StillDisputable.selector, start + DISPUTE));
        registry.executeSlash(id);
        vm.warp(start + DISPUTE);
        vm.recordLogs();
        vm.prank(STRANGER);
        registry.executeSlash(id);
        logs = vm.getRecordedLogs();
        vm.assertEq(logs[0].topics[0], RegistryEvents.SlashExecuted.selector);
        vm.assertEq(logs[0].data, abi.encode(uint64(400), uint64(300)));
        vm.assertEq(logs[1].topics[0], RegistryEvents.StakeChanged.selector);
        vm.assertEq(logs[1].data, abi.encode(uint64(600)));
        vm.assertEq(registry.stakeOf(1), 600);
        vm.assertEq(registry.creditOf(TENANT), 300);
        vm.assertEq(registry.creditOf(TREASURY), 100);
        vm.expectRevert(abi.encodeWithSelector(RegistryEvents.SlashNotPending.selector, id));
        registry.executeSlash(id);
        vm.prank(TENANT);
        vm.assertEq(registry.withdrawCredit(), 300);
        vm.assertEq(token.balanceOf(TENANT), 300);
        vm.expectRevert(abi.encodeWithSelector(ProtocolContract.ZeroAmount.selector));
        vm.prank(TENANT);
        registry.withdrawCredit();
        vm.prank(TREASURY);
        registry.withdrawCredit();
        vm.assertEq(token.balanceOf(address(registry)), 600);
    }

    function test_a_proposal_says_what_why_and_for_whom() public {
        lacksRole(DISPUTER, registry.SLASHER_ROLE());
        vm.prank(DISPUTER);
        registry.proposeSlash(1, 1, TENANT, 1, "evidence");
        vm.startPrank(SLASHER);
        vm.expectRevert(abi.encodeWithSelector(ProtocolContract.ZeroAmount.selector));
        registry.proposeSlash(1, 0, TENANT, 0, "evidence");
        uint64 most = registry.MAX_AMOUNT();
        vm.expectRevert(abi.encodeWithSelector(ProtocolContract.AmountTooLarge.selector));
        registry.proposeSlash(1, most + 1, TENANT, 0, "evidence");
        vm.expectRevert(abi.encodeWithSelector(RegistryEvents.CompensationTooHigh.selector, 11, 10));
        registry.proposeSlash(1, 10, TENANT, 11, "evidence");
        vm.expectRevert(abi.encodeWithSelector(ProtocolContract.ZeroAddress.selector));
        registry.proposeSlash(1, 10, address(0), 1, "evidence");
        vm.expectRevert(abi.encodeWithSelector(RegistryEvents.ZeroEvidence.selector));
        registry.proposeSlash(1, 10, TENANT, 1, 0);
        vm.expectRevert(abi.encodeWithSelector(RegistryEvents.UnknownProvider.selector, 3));
        registry.proposeSlash(3, 10, TENANT, 1, "evidence");
        registry.proposeSlash(1, 10, address(0), 0, "evidence");
        vm.stopPrank();
    }

    function test_a_disputed_slash_is_dropped_for_good() public {
        uint32 id = propose(400, 300);
        lacksRole(SLASHER, registry.DISPUTE_ROLE());
        vm.prank(SLASHER);
        registry.cancelSlash(id, "no");
        vm.prank(DISPUTER);
        registry.cancelSlash(id, "no");
        vm.warp(start + DISPUTE);
        bytes memory decided = abi.encodeWithSelector(RegistryEvents.SlashNotPending.selector, id);
        vm.expectRevert(decided);
        registry.executeSlash(id);
        vm.expectRevert(decided);
        vm.prank(DISPUTER);
        registry.cancelSlash(id, "no");
        vm.expectRevert(abi.encodeWithSelector(RegistryEvents.UnknownSlash.selector, 9));
        registry.executeSlash(9);
        vm.assertEq(registry.stakeOf(1), 1_000);
    }

    function test_a_slash_lapses_when_nobody_executes_it() public {
        uint32 id = propose(400, 300);
        vm.warp(start + DISPUTE + EXECUTION);
        vm.expectRevert(
            abi.encodeWithSelector(RegistryEvents.SlashExpired.selector, start + DISPUTE + EXECUTION)
        );
        registry.executeSlash(id);
        vm.warp(start + DISPUTE + EXECUTION - 1);
        registry.executeSlash(id);
    }

    function test_slashes_wait_during_a_pause_and_credits_do_not() public {
        executed(10, 10);
        uint32 id = propose(10, 10);
        vm.warp(block.timestamp + DISPUTE);
        vm.prank(PAUSER);
        registry.pause();
        bytes memory paused = abi.encodeWithSelector(Pausable.EnforcedPause.selector);
        vm.expectRevert(paused);
        registry.executeSlash(id);
        vm.expectRevert(paused);
        propose(10, 10);
        vm.prank(TENANT);
        registry.withdrawCredit();
        vm.prank(DISPUTER);
        registry.cancelSlash(id, "no");
    }

    // --- How much ---

    function test_an_era_takes_no_more_than_its_cap() public {
        uint32 first = propose(300, 0);
        uint32 second = propose(300, 250);
        uint32 third = propose(300, 0);
        vm.warp(start + DISPUTE);
        registry.executeSlash(first);
        vm.assertEq(registry.slashableOf(1), 200);
        registry.executeSlash(second);
        // Half of the 1,000 at its start; of the second, the tenant is served first.
        vm.assertEq(registry.stakeOf(1), 500);
        vm.assertEq(registry.creditOf(TENANT), 200);
        vm.assertEq(registry.creditOf(TREASURY), 300);
        vm.assertEq(registry.slashableOf(1), 0);
        vm.expectRevert(abi.encodeWithSelector(RegistryEvents.NothingToSlash.selector, 1));
        registry.executeSlash(third);
        vm.warp(start + DISPUTE + ERA - 1);
        vm.expectRevert(abi.encodeWithSelector(RegistryEvents.NothingToSlash.selector, 1));
        registry.executeSlash(third);
        // The next era counts from what is left.
        vm.warp(start + DISPUTE + ERA);
        vm.assertEq(registry.slashableOf(1), 250);
        registry.executeSlash(third);
        vm.assertEq(registry.stakeOf(1), 250);
    }

    function test_what_thaws_is_slashed_after_the_stake() public {
        unstake(900);
        executed(400, 0);
        vm.assertEq(registry.stakeOf(1), 0);
        vm.assertEq(registry.providerOf(1).thawing, 600);
        vm.warp(start + THAW);
        withdraw();
        vm.assertEq(token.balanceOf(OWNER), 600);
        vm.assertEq(token.balanceOf(address(registry)), 400);
    }

    /// @dev What has left since the era's first slash is not there any more, whatever the cap would allow.
    function test_what_left_within_the_era_is_not_slashed() public {
        unstake(800);
        vm.warp(start + THAW);
        uint32 first = propose(100, 0);
        uint32 second = propose(1_000, 0);
        vm.warp(start + THAW + DISPUTE);
        registry.executeSlash(first);
        withdraw();
        vm.assertEq(token.balanceOf(OWNER), 800);
        vm.assertEq(registry.slashableOf(1), 100);
        registry.executeSlash(second);
        vm.assertEq(registry.stakeOf(1), 0);
        vm.assertEq(registry.creditOf(TREASURY), 200);
    }

    function test_nothing_is_taken_from_who_has_nothing() public {
        vm.prank(SLASHER);
        uint32 id = registry.proposeSlash(2, 10, TENANT, 10, "evidence");
        vm.warp(start + DISPUTE);
        vm.expectRevert(abi.encodeWithSelector(RegistryEvents.NothingToSlash.selector, 2));
        registry.executeSlash(id);
        vm.assertEq(registry.stakeOf(1), 1_000);
    }

    // --- Holding, and not for ever ---

    function test_who_unstakes_after_the_deed_leaves_what_it_owes() public {
        unstake(1_000);
        vm.warp(start + THAW - 1);
        uint32 id = propose(300, 300);
        vm.warp(start + THAW);
        (uint64 held, uint32 heldUntil) = registry.holdOf(1);
        vm.assertEq(held, 300);
        vm.assertEq(heldUntil, start + THAW - 1 + DISPUTE + EXECUTION);
        withdraw();
        vm.assertEq(token.balanceOf(OWNER), 700);
        vm.expectRevert(abi.encodeWithSelector(RegistryEvents.HeldForSlashing.selector, heldUntil));
        withdraw();
        vm.warp(start + THAW - 1 + DISPUTE);
        registry.executeSlash(id);
        vm.assertEq(registry.creditOf(TENANT), 150);
        // Half is the cap; the rest of the proposal lapses and holds nothing.
        withdraw();
        vm.assertEq(token.balanceOf(OWNER), 850);
    }

    function test_a_hold_ends_with_the_dispute_and_with_time() public {
        unstake(1_000);
        vm.warp(start + THAW - 1);
        uint32 id = propose(1_000, 0);
        uint32 other = propose(100, 0);
        vm.warp(start + THAW);
        uint32 heldUntil = uint32(start + THAW - 1 + DISPUTE + EXECUTION);
        vm.expectRevert(abi.encodeWithSelector(RegistryEvents.HeldForSlashing.selector, heldUntil));
        withdraw();
        vm.prank(DISPUTER);
        registry.cancelSlash(id, "no");
        withdraw();
        vm.assertEq(token.balanceOf(OWNER), 900);
        vm.warp(heldUntil - 1);
        vm.expectRevert(abi.encodeWithSelector(RegistryEvents.HeldForSlashing.selector, heldUntil));
        withdraw();
        vm.warp(heldUntil);
        vm.expectRevert(abi.encodeWithSelector(RegistryEvents.SlashExpired.selector, heldUntil));
        registry.executeSlash(other);
        withdraw();
        vm.assertEq(token.balanceOf(OWNER), 1_000);
    }

    /// @dev Whoever proposes all the time holds a provider back by a dispute and an execution, once.
    function test_proposals_for_ever_hold_nobody_for_ever() public {
        unstake(1_000);
        for (uint256 day = 0; day < (THAW + DISPUTE + EXECUTION) / 1 days; day++) {
            vm.warp(start + day * 1 days);
            propose(1_000, 0);
        }
        vm.warp(start + THAW + DISPUTE + EXECUTION);
        propose(1_000, 0);
        withdraw();
        vm.assertEq(token.balanceOf(OWNER), 1_000);
    }

    function test_a_stake_that_covers_the_proposals_holds_nothing_else() public {
        unstake(400);
        propose(600, 0);
        (uint64 held,) = registry.holdOf(1);
        vm.assertEq(held, 0);
        propose(1, 0);
        (held,) = registry.holdOf(1);
        vm.assertEq(held, 1);
    }

    // --- All amounts ---

    /// @dev Whatever is asked for: never more than there is, never more than the cap, and not a micro lost.
    function testFuzz_a_slash_takes_no_more_than_stake_and_cap(
        uint64 staked,
        uint64 unstaked,
        uint64 amount,
        uint64 compensation
    ) public {
        staked = staked % 1e15 + 1;
        unstaked = unstaked % (staked + 1);
        amount = amount % 2e15 + 1;
        compensation = compensation % (amount + 1);
        address owner = ownerOf(2);
        token.mint(owner, staked);
        vm.startPrank(owner);
        token.approve(address(registry), staked);
        registry.stake(staked);
        if (unstaked != 0) registry.requestUnstake(unstaked);
        vm.stopPrank();
        vm.prank(SLASHER);
        uint32 id = registry.proposeSlash(2, amount, TENANT, compensation, "evidence");
        vm.warp(start + DISPUTE);
        uint64 cap = staked / 2;
        uint64 expected = amount < cap ? amount : cap;
        if (expected == 0) vm.expectRevert(abi.encodeWithSelector(RegistryEvents.NothingToSlash.selector, 2));
        registry.executeSlash(id);
        ProviderRegistry.Provider memory provider = registry.providerOf(2);
        vm.assertEq(provider.stake + provider.thawing, staked - expected);
        uint64 fromStake = expected < staked - unstaked ? expected : staked - unstaked;
        vm.assertEq(provider.stake, staked - unstaked - fromStake);
        uint64 compensated = expected < compensation ? expected : compensation;
        vm.assertEq(registry.creditOf(TENANT), compensated);
        vm.assertEq(registry.creditOf(TREASURY), expected - compensated);
        vm.assertEq(token.balanceOf(address(registry)), uint256(staked) + 1_000);
    }

    // --- Treasury and terms ---

    function test_only_the_admin_names_another_treasury() public {
        lacksRole(SLASHER, bytes32(0));
        vm.prank(SLASHER);
        registry.setTreasury(STRANGER);
        vm.startPrank(ADMIN);
        vm.expectRevert(abi.encodeWithSelector(ProtocolContract.ZeroAddress.selector));
        registry.setTreasury(address(0));
        registry.setTreasury(STRANGER);
        vm.stopPrank();
        executed(100, 0);
        vm.assertEq(registry.creditOf(STRANGER), 100);
    }

    function test_terms_that_cannot_work_are_refused() public {
        ProviderRegistry.Terms memory terms = defaultTerms();
        deploy("ProviderRegistry", registryArguments(terms));
        for (uint256 i = 0; i < 6; i++) {
            terms = defaultTerms();
            if (i == 0) terms.eraSeconds = 0;
            if (i == 1) terms.eraCapBps = 0;
            if (i == 2) terms.eraCapBps = 10_001;
            if (i == 3) terms.disputeSeconds = 0;
            if (i == 4) terms.executionSeconds = 0;
            if (i == 5) terms.executionSeconds += 1; // no longer fits into a thaw
            (address deployed, bytes memory reason) =
                tryDeploy("ProviderRegistry", registryArguments(terms));
            vm.assertEq(deployed, address(0));
            if (i < 5) vm.assertEq(reason, abi.encodeWithSelector(RegistryEvents.InvalidParameter.selector));
        }
        terms = defaultTerms();
        terms.thawSeconds += 1;
        (, bytes memory tooSlow) = tryDeploy("ProviderRegistry", registryArguments(terms));
        vm.assertEq(
            tooSlow,
            abi.encodeWithSelector(ProtocolContract.TimelockTooShort.selector, UPGRADE_DELAY, UPGRADE_DELAY + 1)
        );
        terms.executionSeconds -= 1;
        deploy("ProviderRegistry", registryArguments(terms));
    }
}

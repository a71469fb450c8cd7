// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {RegistryEvents} from "../src/RegistryEvents.sol";
import {ProtocolContract} from "../src/ProtocolContract.sol";
import {Base} from "./Base.sol";

contract ProviderRegistryTest is Base {
    address private constant OWNER = address(0xB001);

    function setUp() public {
        setUpMarket();
        token.mint(OWNER, 1_000);
        vm.prank(OWNER);
        token.approve(address(registry), 1_000);
    }

    function test_ids_count_from_one_and_an_account_owns_one() public {
        registerProviders(2);
        vm.assertEq(registry.providerIdOf(ownerOf(2)), 2);
        vm.assertEq(registry.ownerOf(2), ownerOf(2));
        vm.assertEq(registry.payoutOf(2), payoutOf(2));
        vm.assertEq(registry.ownerOf(3), address(0));
        vm.expectRevert(abi.encodeWithSelector(RegistryEvents.AlreadyRegistered.selector, ownerOf(1), 1));
        vm.prank(ownerOf(1));
        registry.register(payoutOf(1), 0);
        vm.expectRevert(abi.encodeWithSelector(ProtocolContract.ZeroAddress.selector));
        registry.register(address(0), 0);
    }

    function test_stake_leaves_only_after_its_thaw() public {
        registerProviders(1);
        vm.prank(OWNER);
        registry.stake(1_000);
        vm.assertEq(registry.stakeOf(1), 1_000);
        vm.expectRevert(abi.encodeWithSelector(RegistryEvents.InsufficientStake.selector, 1_000, 1_001));
        vm.prank(OWNER);
        registry.requestUnstake(1_001);
        vm.prank(OWNER);
        registry.requestUnstake(400);
        vm.assertEq(registry.stakeOf(1), 600);
        vm.warp(block.timestamp + THAW - 1);
        vm.expectRevert(abi.encodeWithSelector(RegistryEvents.StillThawing.selector, block.timestamp + 1));
        vm.prank(OWNER);
        registry.withdrawUnstaked();
        vm.warp(block.timestamp + 1);
        vm.prank(OWNER);
        registry.withdrawUnstaked();
        vm.assertEq(token.balanceOf(OWNER), 400);
        vm.expectRevert(abi.encodeWithSelector(ProtocolContract.ZeroAmount.selector));
        vm.prank(OWNER);
        registry.withdrawUnstaked();
    }

    /// @dev What thaws counts as well: the two are added up in 64 bits.
    function test_stakes_stay_below_2_to_the_63() public {
        registerProviders(1);
        uint64 most = registry.MAX_AMOUNT();
        token.mint(OWNER, most);
        vm.startPrank(OWNER);
        token.approve(address(registry), type(uint256).max);
        registry.stake(1_000);
        registry.requestUnstake(1_000);
        vm.expectRevert(abi.encodeWithSelector(ProtocolContract.AmountTooLarge.selector));
        registry.stake(most - 999);
        registry.stake(most - 1_000);
        vm.stopPrank();
    }

    function test_a_further_request_starts_the_thaw_anew() public {
        registerProviders(1);
        vm.prank(OWNER);
        registry.stake(1_000);
        vm.prank(OWNER);
        registry.requestUnstake(400);
        vm.warp(block.timestamp + THAW);
        vm.prank(OWNER);
        registry.requestUnstake(1);
        vm.expectRevert(abi.encodeWithSelector(RegistryEvents.StillThawing.selector, block.timestamp + THAW));
        vm.prank(OWNER);
        registry.withdrawUnstaked();
    }

    function test_only_an_owner_changes_payout_and_metadata() public {
        registerProviders(1);
        vm.prank(OWNER);
        registry.setPayout(STRANGER);
        vm.assertEq(registry.payoutOf(1), STRANGER);
        vm.prank(OWNER);
        registry.setMetadata(bytes32(uint256(5)));
        vm.assertTrue(registry.providerOf(1).metadataHash == bytes32(uint256(5)));
        vm.expectRevert(abi.encodeWithSelector(RegistryEvents.NotRegistered.selector, STRANGER));
        vm.prank(STRANGER);
        registry.setPayout(STRANGER);
    }

    function test_a_pause_stops_entries_and_never_an_exit() public {
        registerProviders(1);
        vm.prank(OWNER);
        registry.stake(500);
        vm.prank(PAUSER);
        registry.pause();
        bytes memory paused = abi.encodeWithSelector(Pausable.EnforcedPause.selector);
        vm.expectRevert(paused);
        vm.prank(OWNER);
        registry.stake(1);
        vm.expectRevert(paused);
        registry.register(STRANGER, 0);
        vm.prank(OWNER);
        registry.requestUnstake(500);
        vm.warp(block.timestamp + THAW);
        vm.prank(OWNER);
        registry.withdrawUnstaked();
        vm.assertEq(token.balanceOf(OWNER), 1_000);
    }
}

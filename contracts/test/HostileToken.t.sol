// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ProtocolContract} from "../src/ProtocolContract.sol";
import {Base} from "./Base.sol";
import {CallingToken, CrookedToken, Reentrant} from "./Hostile.sol";

/// @dev Tokens that the allow-list of one keeps out: were they let in, they would be refused or get nowhere.
contract HostileTokenTest is Base {
    function test_tokens_that_move_another_amount_are_refused_everywhere() public {
        CrookedToken crooked = new CrookedToken();
        setUpMarketWith(address(crooked));
        registerProviders(1);
        address[2] memory who = [TENANT, ownerOf(1)];
        for (uint256 i = 0; i < who.length; i++) {
            crooked.mint(who[i], 1_000);
            vm.startPrank(who[i]);
            crooked.approve(address(market), 1_000);
            crooked.approve(address(registry), 1_000);
            crooked.approve(address(rewards), 1_000);
            vm.stopPrank();
        }
        uint32 era = rewards.currentEra();
        bytes memory refusal = abi.encodeWithSelector(ProtocolContract.UnexpectedTokenAmount.selector);
        int256[2] memory differences = [int256(-1), int256(1)];
        for (uint256 i = 0; i < differences.length; i++) {
            crooked.setDifference(differences[i]);
            vm.expectRevert(refusal);
            vm.prank(TENANT);
            market.deposit(100);
            vm.expectRevert(refusal);
            vm.prank(TENANT);
            market.depositWithPermit(100, 0, 0, 0, 0);
            vm.expectRevert(refusal);
            market.depositWithAuthorization(TENANT, 100, 0, 0, 0, 0, 0, 0);
            vm.expectRevert(refusal);
            vm.prank(ownerOf(1));
            registry.stake(100);
            vm.expectRevert(refusal);
            vm.prank(TENANT);
            rewards.fund(era, 100);
        }
        crooked.setDifference(0);
        vm.prank(TENANT);
        market.deposit(100);
        vm.assertEq(market.tenantOf(TENANT).free, 100);
    }

    /// @dev An account that is tenant, provider owner and payout tries every way back in from inside a transfer.
    function test_a_token_that_calls_back_opens_no_way_in() public {
        CallingToken calling = new CallingToken();
        setUpMarketWith(address(calling));
        Reentrant tenant = new Reentrant(address(market));
        calling.mint(address(tenant), 1_000);
        tenant.on(address(calling), abi.encodeCall(calling.approve, (address(market), 1_000)));
        bytes[5] memory calls = [
            abi.encodeCall(market.deposit, (1)),
            abi.encodeCall(market.depositWithPermit, (1, 0, 0, 0, 0)),
            abi.encodeCall(market.depositWithAuthorization, (address(tenant), 1, 0, 0, 0, 0, 0, 0)),
            abi.encodeCall(market.withdraw, (1)),
            abi.encodeCall(market.claim, (1))
        ];
        tenant.on(address(market), abi.encodeCall(market.deposit, (100)));
        earnSomething(address(tenant), tenant, calling);
        for (uint256 i = 0; i < calls.length; i++) {
            calling.callBack(address(tenant), calls[i]);
            tenant.on(address(market), abi.encodeCall(market.deposit, (10)));
            vm.assertTrue(calling.called());
            vm.assertFalse(calling.succeeded());
            calling.callBack(address(tenant), calls[i]);
            tenant.on(address(market), abi.encodeCall(market.withdraw, (10)));
            vm.assertTrue(calling.called());
            vm.assertFalse(calling.succeeded());
        }
        vm.assertEq(market.tenantOf(address(tenant)).free, 100);
        vm.assertEq(calling.balanceOf(address(market)), 1_100);
        // What it could not have twice it can have once.
        calling.callBack(address(tenant), abi.encodeCall(market.withdraw, (1)));
        tenant.on(address(market), abi.encodeCall(market.claim, (1)));
        vm.assertTrue(calling.called());
        vm.assertFalse(calling.succeeded());
        vm.assertEq(calling.balanceOf(address(market)), 600);
    }

    /// @dev The account is owner and payout of provider 1, which another tenant's lease has paid 500 of its lock of 1,000.
    function earnSomething(address account, Reentrant owner, CallingToken calling) private {
        owner.on(address(registry), abi.encodeCall(registry.register, (account, bytes32(0))));
        calling.mint(TENANT, 1_000);
        vm.startPrank(TENANT);
        calling.approve(address(market), 1_000);
        market.deposit(1_000);
        vm.stopPrank();
        consent(TENANT);
        open(TENANT, keyOf(1, 1), RATE, 1);
        vm.warp(block.timestamp + 1);
        settle(single(keyOf(1, 1), 500));
    }

    function test_no_way_back_into_the_registry_or_the_rewards() public {
        CallingToken calling = new CallingToken();
        setUpMarketWith(address(calling));
        Reentrant owner = new Reentrant(address(registry));
        calling.mint(address(owner), 1_000);
        owner.on(address(calling), abi.encodeCall(calling.approve, (address(registry), 1_000)));
        owner.on(address(registry), abi.encodeCall(registry.register, (address(owner), bytes32(0))));
        calling.callBack(address(owner), abi.encodeCall(registry.stake, (1)));
        owner.on(address(registry), abi.encodeCall(registry.stake, (100)));
        vm.assertTrue(calling.called());
        vm.assertFalse(calling.succeeded());
        owner.on(address(registry), abi.encodeCall(registry.requestUnstake, (50)));
        vm.warp(block.timestamp + THAW);
        calling.callBack(address(owner), abi.encodeCall(registry.stake, (1)));
        owner.on(address(registry), abi.encodeCall(registry.withdrawUnstaked, ()));
        vm.assertTrue(calling.called());
        vm.assertFalse(calling.succeeded());
        vm.prank(SLASHER);
        registry.proposeSlash(1, 10, address(owner), 10, "evidence");
        vm.warp(block.timestamp + DISPUTE);
        registry.executeSlash(1);
        calling.callBack(address(owner), abi.encodeCall(registry.stake, (1)));
        owner.on(address(registry), abi.encodeCall(registry.withdrawCredit, ()));
        vm.assertTrue(calling.called());
        vm.assertFalse(calling.succeeded());
        vm.assertEq(calling.balanceOf(address(registry)), 40);
        rewardsCannotBeEntered(calling);
    }

    function rewardsCannotBeEntered(CallingToken calling) private {
        Reentrant funder = new Reentrant(address(rewards));
        calling.mint(address(funder), 1_000);
        funder.on(address(calling), abi.encodeCall(calling.approve, (address(rewards), 1_000)));
        uint32 era = rewards.currentEra();
        calling.callBack(address(funder), abi.encodeCall(rewards.fund, (era, 1)));
        funder.on(address(rewards), abi.encodeCall(rewards.fund, (era, 100)));
        vm.assertTrue(calling.called());
        vm.assertFalse(calling.succeeded());
        vm.assertEq(rewards.eraOf(era).pool, 100);
    }
}

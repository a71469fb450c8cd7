// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {LivenessRewards as Rewards} from "../src/LivenessRewards.sol";
import {ProtocolContract} from "../src/ProtocolContract.sol";
import {Base, Vm} from "./Base.sol";

contract LivenessRewardsTest is Base {
    uint256 private constant FIRST = 19_676;
    uint256 private immutable START = FIRST * ERA;
    uint32 private constant ERA_1 = uint32(FIRST);
    uint32 private constant ERA_2 = uint32(FIRST) + 1;

    function setUp() public {
        setUpMarket();
        registerProviders(3);
        vm.warp(START);
        token.mint(TREASURY, 1e9);
        vm.prank(TREASURY);
        token.approve(address(rewards), 1e9);
    }

    function fundEra(uint32 era, uint64 amount) private {
        vm.prank(TREASURY);
        rewards.fund(era, amount);
    }

    function reward(uint32 era, uint32 provider, uint64 previous, uint64 cumulative)
        private
        pure
        returns (Rewards.Reward memory)
    {
        return Rewards.Reward(era, provider, previous, cumulative);
    }

    /// @dev Hashed twice, by hand.
    function leaf(Rewards.Reward memory one) private pure returns (bytes32) {
        return keccak256(
            abi.encodePacked(keccak256(abi.encode(one.era, one.providerId, one.previous, one.cumulative)))
        );
    }

    function node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return left < right
            ? keccak256(abi.encodePacked(left, right))
            : keccak256(abi.encodePacked(right, left));
    }

    function post(uint32 era, bytes32 root) private {
        vm.prank(POSTER);
        rewards.postRoot(era, root);
    }

    /// @dev A tree of one leaf: its root is the leaf, its proof is empty.
    function postSingle(Rewards.Reward memory one) private {
        post(one.era, leaf(one));
        vm.warp(block.timestamp + DISPUTE);
    }

    function claim(Rewards.Reward memory one, bytes32[] memory proof) private returns (uint64) {
        vm.prank(ownerOf(one.providerId));
        return rewards.claim(one, proof);
    }

    function claim(Rewards.Reward memory one) private returns (uint64) {
        return claim(one, new bytes32[](0));
    }

    function refuses(bytes memory refusal) private {
        vm.expectRevert(refusal);
    }

    function test_providers_claim_the_difference_era_by_era() public {
        fundEra(ERA_1, 100);
        fundEra(ERA_2, 50);
        vm.warp(START + 2 * uint256(ERA));
        Rewards.Reward memory one = reward(ERA_1, 1, 0, 60);
        Rewards.Reward memory two = reward(ERA_1, 2, 0, 40);
        Rewards.Reward memory next = reward(ERA_2, 1, 60, 110);
        post(ERA_1, node(leaf(one), leaf(two)));
        post(ERA_2, leaf(next));
        vm.warp(block.timestamp + DISPUTE);
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = leaf(two);
        refuses(abi.encodeWithSelector(Rewards.EarlierEraUnclaimed.selector, 1, 0, 60));
        claim(next);
        vm.assertEq(claim(one, proof), 60);
        vm.assertEq(token.balanceOf(payoutOf(1)), 60);
        refuses(abi.encodeWithSelector(Rewards.NothingToClaim.selector, 1, 60));
        claim(one, proof);
        vm.prank(payoutOf(1));
        vm.assertEq(rewards.claim(next, new bytes32[](0)), 50);
        vm.assertEq(rewards.claimedOf(1), 110);
        proof[0] = leaf(one);
        vm.assertEq(claim(two, proof), 40);
        vm.assertEq(rewards.eraOf(ERA_1).paid, 100);
        vm.assertEq(token.balanceOf(address(rewards)), 0);
    }

    function test_only_what_is_in_the_tree_is_paid() public {
        fundEra(ERA_1, 100);
        vm.warp(START + ERA);
        Rewards.Reward memory one = reward(ERA_1, 1, 0, 60);
        Rewards.Reward memory two = reward(ERA_1, 2, 0, 40);
        bytes32 root = node(leaf(one), leaf(two));
        post(ERA_1, root);
        vm.warp(block.timestamp + DISPUTE);
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = leaf(two);
        Rewards.Reward[3] memory others =
            [reward(ERA_1, 1, 0, 61), reward(ERA_1, 3, 0, 60), reward(ERA_1, 1, 1, 60)];
        for (uint256 i = 0; i < others.length; i++) {
            refuses(abi.encodeWithSelector(Rewards.InvalidProof.selector, ERA_1, others[i].providerId));
            claim(others[i], proof);
        }
        refuses(abi.encodeWithSelector(Rewards.InvalidProof.selector, ERA_1, 1));
        claim(one, new bytes32[](0));
        refuses(abi.encodeWithSelector(Rewards.NotParty.selector, STRANGER));
        vm.prank(STRANGER);
        rewards.claim(one, proof);
        refuses(abi.encodeWithSelector(Rewards.UnknownProvider.selector, 4));
        claim(reward(ERA_1, 4, 0, 1), proof);
        vm.assertEq(claim(one, proof), 60);
    }

    function test_a_root_is_posted_once_after_its_era_and_pays_after_the_dispute() public {
        fundEra(ERA_1, 100);
        Rewards.Reward memory one = reward(ERA_1, 1, 0, 60);
        refuses(abi.encodeWithSelector(Rewards.EraNotOver.selector, ERA_1, ERA_1));
        post(ERA_1, leaf(one));
        vm.warp(START + ERA);
        refuses(
            abi.encodeWithSelector(
                IAccessControl.AccessControlUnauthorizedAccount.selector, DISPUTER, rewards.POSTER_ROLE()
            )
        );
        vm.prank(DISPUTER);
        rewards.postRoot(ERA_1, leaf(one));
        refuses(abi.encodeWithSelector(Rewards.ZeroRoot.selector));
        post(ERA_1, 0);
        refuses(abi.encodeWithSelector(Rewards.RootNotPosted.selector, ERA_1));
        claim(one);
        post(ERA_1, leaf(one));
        refuses(abi.encodeWithSelector(Rewards.RootAlreadyPosted.selector, ERA_1));
        post(ERA_1, leaf(one));
        uint256 claimableAt = START + ERA + DISPUTE;
        vm.warp(claimableAt - 1);
        refuses(abi.encodeWithSelector(Rewards.RootNotClaimable.selector, ERA_1, claimableAt));
        claim(one);
        vm.warp(claimableAt);
        claim(one);
    }

    function test_a_root_is_disputed_only_before_it_pays() public {
        fundEra(ERA_1, 100);
        vm.warp(START + ERA);
        refuses(abi.encodeWithSelector(Rewards.RootNotPosted.selector, ERA_1));
        vm.prank(DISPUTER);
        rewards.disputeRoot(ERA_1, "wrong");
        post(ERA_1, leaf(reward(ERA_1, 3, 0, 100)));
        refuses(
            abi.encodeWithSelector(
                IAccessControl.AccessControlUnauthorizedAccount.selector, POSTER, rewards.DISPUTE_ROLE()
            )
        );
        vm.prank(POSTER);
        rewards.disputeRoot(ERA_1, "wrong");
        vm.warp(START + ERA + DISPUTE - 1);
        vm.prank(DISPUTER);
        rewards.disputeRoot(ERA_1, "wrong");
        vm.assertEq(rewards.eraOf(ERA_1).root, bytes32(0));
        Rewards.Reward memory right = reward(ERA_1, 1, 0, 100);
        post(ERA_1, leaf(right));
        vm.warp(block.timestamp + DISPUTE);
        refuses(abi.encodeWithSelector(Rewards.RootFinal.selector, ERA_1));
        vm.prank(DISPUTER);
        rewards.disputeRoot(ERA_1, "wrong");
        claim(right);
    }

    /// @dev A poster that promises more than an era has, to itself, gets that era's pool and not a micro of another's.
    function test_a_false_root_takes_no_more_than_its_own_era() public {
        fundEra(ERA_1, 100);
        fundEra(ERA_2, 50);
        vm.warp(START + 2 * uint256(ERA));
        postSingle(reward(ERA_1, 1, 0, 100));
        Rewards.Reward memory greedy = reward(ERA_2, 3, 0, 51);
        post(ERA_2, leaf(greedy));
        vm.warp(block.timestamp + DISPUTE);
        refuses(abi.encodeWithSelector(Rewards.PoolExceeded.selector, ERA_2, 50, 51));
        claim(greedy);
        vm.assertEq(claim(reward(ERA_1, 1, 0, 100)), 100);
        vm.assertEq(token.balanceOf(address(rewards)), 50);
    }

    function test_a_pool_is_paid_out_once_however_many_leaves_ask() public {
        fundEra(ERA_1, 100);
        vm.warp(START + ERA);
        Rewards.Reward memory one = reward(ERA_1, 1, 0, 60);
        Rewards.Reward memory two = reward(ERA_1, 2, 0, 41);
        post(ERA_1, node(leaf(one), leaf(two)));
        vm.warp(block.timestamp + DISPUTE);
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = leaf(two);
        claim(one, proof);
        proof[0] = leaf(one);
        refuses(abi.encodeWithSelector(Rewards.PoolExceeded.selector, ERA_1, 40, 41));
        claim(two, proof);
    }

    /// @dev A provider that was overpaid by a false root waits until the true sum has caught up.
    function test_an_overpaid_provider_is_paid_the_rest_only() public {
        fundEra(ERA_1, 100);
        fundEra(ERA_2, 100);
        vm.warp(START + 2 * uint256(ERA));
        postSingle(reward(ERA_1, 1, 0, 100));
        claim(reward(ERA_1, 1, 0, 100));
        postSingle(reward(ERA_2, 1, 60, 130));
        vm.assertEq(claim(reward(ERA_2, 1, 60, 130)), 30);
    }

    function test_eras_are_funded_before_they_end() public {
        fundEra(ERA_2, 5);
        fundEra(ERA_2, 6);
        vm.assertEq(rewards.eraOf(ERA_2).pool, 11);
        vm.warp(START + ERA);
        refuses(abi.encodeWithSelector(Rewards.EraOver.selector, ERA_1, ERA_2));
        fundEra(ERA_1, 1);
        refuses(abi.encodeWithSelector(ProtocolContract.ZeroAmount.selector));
        fundEra(ERA_2, 0);
        uint64 most = rewards.MAX_AMOUNT();
        refuses(abi.encodeWithSelector(ProtocolContract.AmountTooLarge.selector));
        fundEra(ERA_2, most);
    }

    function test_what_nobody_claims_goes_to_a_later_era() public {
        fundEra(ERA_1, 100);
        vm.warp(START + ERA);
        postSingle(reward(ERA_1, 1, 0, 60));
        claim(reward(ERA_1, 1, 0, 60));
        uint256 over = START + ERA + CLAIM_TIME;
        vm.warp(over - 1);
        refuses(abi.encodeWithSelector(Rewards.ClaimsNotOver.selector, ERA_1));
        rewards.rollOver(ERA_1);
        vm.warp(over);
        uint32 current = rewards.currentEra();
        vm.assertEq(rewards.rollOver(ERA_1), 40);
        vm.assertEq(rewards.eraOf(ERA_1).pool, 60);
        vm.assertEq(rewards.eraOf(current).pool, 40);
        refuses(abi.encodeWithSelector(ProtocolContract.ZeroAmount.selector));
        rewards.rollOver(ERA_1);
        refuses(abi.encodeWithSelector(Rewards.ClaimsOver.selector, ERA_1));
        claim(reward(ERA_1, 1, 0, 60));
        refuses(abi.encodeWithSelector(Rewards.ClaimsOver.selector, ERA_1));
        post(ERA_1, "late");
        vm.assertEq(token.balanceOf(address(rewards)), 40);
    }

    function test_a_pause_stops_funding_and_roots_and_never_a_claim() public {
        fundEra(ERA_1, 100);
        vm.warp(START + ERA);
        postSingle(reward(ERA_1, 1, 0, 60));
        vm.prank(PAUSER);
        rewards.pause();
        bytes memory paused = abi.encodeWithSelector(Pausable.EnforcedPause.selector);
        refuses(paused);
        fundEra(ERA_2 + 30, 1);
        refuses(paused);
        post(ERA_2, "root");
        claim(reward(ERA_1, 1, 0, 60));
        vm.prank(PAUSER);
        rewards.unpause();
    }

    function test_terms_that_cannot_work_are_refused() public {
        bytes memory invalid = abi.encodeWithSelector(Rewards.InvalidParameter.selector);
        refusesTerms(abi.encode(token, registry, timelock, 0, DISPUTE, CLAIM_TIME), invalid);
        refusesTerms(abi.encode(token, registry, timelock, ERA, 0, CLAIM_TIME), invalid);
        refusesTerms(abi.encode(token, registry, timelock, ERA, DISPUTE, DISPUTE), invalid);
        refusesTerms(
            abi.encode(token, address(0), timelock, ERA, DISPUTE, CLAIM_TIME),
            abi.encodeWithSelector(ProtocolContract.ZeroAddress.selector)
        );
    }

    function refusesTerms(bytes memory arguments, bytes memory refusal) private {
        (address deployed, bytes memory reason) = tryDeploy("LivenessRewards", arguments);
        vm.assertEq(deployed, address(0));
        vm.assertEq(reason, refusal);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LivenessRewards} from "../src/LivenessRewards.sol";
import {Base} from "./Base.sol";

/// @dev Funds eras, posts roots that are true or greedy, and claims; keeps its own books. Nothing may revert.
contract RewardsHandler is Base {
    uint32 internal constant PROVIDERS = 3;

    LivenessRewards.Reward[] private _posted;
    mapping(uint32 => uint64) private _promised;
    mapping(uint32 => uint64) private _lastClaimed;
    mapping(uint32 => uint64) private _fundedOf;
    uint32[] private _eras;
    uint256 public funded;
    uint256 public paid;
    uint256 public donated;

    constructor() {
        setUpMarket();
        registerProviders(PROVIDERS);
    }

    function fund(uint32 ahead, uint64 amount) external {
        if (rewards.paused()) return;
        uint32 era = rewards.currentEra() + ahead % 3;
        amount = amount % 1e12 + 1;
        token.mint(TREASURY, amount);
        vm.startPrank(TREASURY);
        token.approve(address(rewards), amount);
        rewards.fund(era, amount);
        vm.stopPrank();
        funded += amount;
        if (_fundedOf[era] == 0) _eras.push(era);
        _fundedOf[era] += amount;
    }

    /// @dev One provider an era; the amount may be more than the era has.
    function post(uint32 back, uint32 provider, uint64 amount, bool greedy) external {
        uint32 era = rewards.currentEra() - back % 4 - 1;
        LivenessRewards.Era memory known = rewards.eraOf(era);
        if (rewards.paused() || known.root != 0) return;
        uint32 id = provider % PROVIDERS + 1;
        uint64 previous = _promised[id];
        uint64 cumulative = previous + amount % (greedy ? 1e13 : known.pool + 1);
        LivenessRewards.Reward memory reward = LivenessRewards.Reward(era, id, previous, cumulative);
        bytes32 root = rewards.leafOf(reward);
        vm.prank(POSTER);
        rewards.postRoot(era, root);
        _posted.push(reward);
        if (!greedy) _promised[id] = cumulative;
    }

    function dispute(uint256 which) external {
        if (_posted.length == 0) return;
        LivenessRewards.Reward memory reward = _posted[which % _posted.length];
        LivenessRewards.Era memory era = rewards.eraOf(reward.era);
        if (era.root == 0 || block.timestamp >= era.claimableAt) return;
        vm.prank(DISPUTER);
        rewards.disputeRoot(reward.era, "no");
    }

    /// @dev Whatever is asked for: it is refused, or pays out of its own era and no other.
    function claim(uint256 which) external {
        if (_posted.length == 0) return;
        LivenessRewards.Reward memory reward = _posted[which % _posted.length];
        LivenessRewards.Era memory era = rewards.eraOf(reward.era);
        uint256 held = token.balanceOf(address(rewards));
        uint64 before = rewards.claimedOf(reward.providerId);
        vm.prank(ownerOf(reward.providerId));
        try rewards.claim(reward, new bytes32[](0)) returns (uint64 amount) {
            vm.assertGe(block.timestamp, era.claimableAt, "before the dispute is over");
            vm.assertTrue(before >= reward.previous, "an earlier era was left out");
            vm.assertEq(amount, reward.cumulative - before, "not the difference");
            vm.assertEq(rewards.eraOf(reward.era).paid, era.paid + amount, "not out of its era");
            vm.assertEq(held - token.balanceOf(address(rewards)), amount);
            paid += amount;
        } catch {
            vm.assertEq(token.balanceOf(address(rewards)), held);
        }
    }

    function rollOver(uint256 which) external {
        if (_eras.length == 0) return;
        uint32 era = _eras[which % _eras.length];
        LivenessRewards.Era memory known = rewards.eraOf(era);
        uint256 over = (uint256(era) + 1) * ERA + CLAIM_TIME;
        if (known.pool == known.paid || block.timestamp < over) return;
        uint32 current = rewards.currentEra();
        if (_fundedOf[current] == 0) _eras.push(current);
        _fundedOf[current] += rewards.rollOver(era);
        _fundedOf[era] = known.paid;
    }

    function donate(uint64 amount) external {
        token.mint(address(rewards), amount % 1e9);
        donated += amount % 1e9;
    }

    function wait(uint32 time, bool veryLong) external {
        vm.warp(block.timestamp + (veryLong && time % 16 == 0 ? 300 days : time % 2 days));
    }

    function pauseOrNot() external {
        bool paused = rewards.paused();
        vm.prank(PAUSER);
        if (paused) rewards.unpause();
        else rewards.pause();
    }

    // --- What must hold -----------------------------------------------------------------------------------------------

    function checkBalance() external view {
        vm.assertEq(token.balanceOf(address(rewards)), funded - paid + donated, "tokens are missing");
        uint256 pools;
        for (uint256 i = 0; i < _eras.length; i++) {
            LivenessRewards.Era memory era = rewards.eraOf(_eras[i]);
            pools += era.pool - era.paid;
        }
        vm.assertLe(pools, funded - paid, "pools promise more than there is");
    }

    function checkEras() external view {
        for (uint256 i = 0; i < _eras.length; i++) {
            LivenessRewards.Era memory era = rewards.eraOf(_eras[i]);
            vm.assertLe(era.paid, era.pool, "an era has paid more than it had");
            vm.assertEq(era.pool, _fundedOf[_eras[i]], "an era's pool is not what it was funded with");
        }
    }

    function checkClaimed() external {
        uint256 sum;
        for (uint32 id = 1; id <= PROVIDERS; id++) {
            uint64 claimed = rewards.claimedOf(id);
            vm.assertGe(claimed, _lastClaimed[id], "claimed has shrunk");
            vm.assertEq(claimed, token.balanceOf(payoutOf(id)), "claimed and not paid");
            _lastClaimed[id] = claimed;
            sum += claimed;
        }
        vm.assertEq(sum, paid);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ProviderRegistry} from "../src/ProviderRegistry.sol";
import {Base} from "./Base.sol";

/// @dev Stakes, unstakes and slashes three providers in every order, and keeps its own books. Nothing may revert.
contract RegistryHandler is Base {
    uint32 internal constant PROVIDERS = 3;
    uint256 private constant ACCOUNTS = 3;

    uint32[] public slashes;
    uint256 public staked;
    uint256 public left;
    uint256 public creditsPaid;
    uint256 public donated;
    /// @dev provider, era: what was at stake before its first slash, and what was taken
    mapping(uint32 => mapping(uint256 => uint256)) private _base;
    mapping(uint32 => mapping(uint256 => uint256)) private _taken;
    mapping(uint32 => uint256) private _requestedAt;
    mapping(uint32 => uint256) private _leftOf;

    constructor() {
        setUpMarket();
        registerProviders(PROVIDERS);
    }

    function idOf(uint32 provider) private pure returns (uint32) {
        return provider % PROVIDERS + 1;
    }

    function account(uint256 index) private pure returns (address) {
        return index % ACCOUNTS == 0 ? TREASURY : address(uint160(0x7000 + index % ACCOUNTS));
    }

    function atStake(uint32 id) private view returns (uint256) {
        ProviderRegistry.Provider memory provider = registry.providerOf(id);
        return uint256(provider.stake) + provider.thawing;
    }

    function sums() private view returns (uint256 total) {
        for (uint32 id = 1; id <= PROVIDERS; id++) total += atStake(id);
    }

    /// @dev Checks that the action changed what is at stake of nobody but one.
    modifier changesOnly(uint32 provider) {
        uint256[PROVIDERS + 1] memory before;
        for (uint32 id = 1; id <= PROVIDERS; id++) before[id] = atStake(id);
        _;
        for (uint32 id = 1; id <= PROVIDERS; id++) {
            if (id != idOf(provider)) vm.assertEq(atStake(id), before[id], "another's stake has changed");
        }
    }

    function stake(uint32 provider, uint64 amount) external changesOnly(provider) {
        if (registry.paused()) return;
        amount = amount % 1e12 + 1;
        address owner = ownerOf(idOf(provider));
        token.mint(owner, amount);
        vm.startPrank(owner);
        token.approve(address(registry), amount);
        registry.stake(amount);
        vm.stopPrank();
        staked += amount;
    }

    function requestUnstake(uint32 provider, uint64 amount) external changesOnly(provider) {
        uint32 id = idOf(provider);
        uint64 has = registry.stakeOf(id);
        if (has == 0) return;
        vm.prank(ownerOf(id));
        registry.requestUnstake(amount % has + 1);
        _requestedAt[id] = block.timestamp;
    }

    function withdrawUnstaked(uint32 provider, bool patient) external changesOnly(provider) {
        uint32 id = idOf(provider);
        ProviderRegistry.Provider memory known = registry.providerOf(id);
        if (known.thawing == 0) return;
        if (patient && block.timestamp < known.thawedAt) vm.warp(known.thawedAt);
        (uint64 held,) = registry.holdOf(id);
        bool refused = block.timestamp < known.thawedAt || held >= known.thawing;
        if (refused) vm.expectRevert();
        vm.prank(ownerOf(id));
        registry.withdrawUnstaked();
        if (refused) return;
        vm.assertGe(block.timestamp, _requestedAt[id] + THAW, "left before its delay");
        uint256 out = known.thawing - registry.providerOf(id).thawing;
        vm.assertLe(registry.providerOf(id).thawing, held, "more held than owed");
        left += out;
        _leftOf[id] += out;
    }

    function propose(uint32 provider, uint64 amount, uint64 compensation, uint256 who) external {
        if (registry.paused() || slashes.length >= 24) return;
        amount = amount % 2e12 + 1;
        vm.prank(SLASHER);
        slashes.push(
            registry.proposeSlash(
                idOf(provider), amount, account(who), compensation % (amount + 1), keccak256("evidence")
            )
        );
    }

    function execute(uint256 which) external {
        if (slashes.length == 0 || registry.paused()) return;
        uint32 slashId = slashes[which % slashes.length];
        ProviderRegistry.Slash memory slash = registry.slashOf(slashId);
        uint32 id = slash.providerId;
        if (slash.state != ProviderRegistry.SlashState.Pending) return;
        if (block.timestamp < slash.executableAt) vm.warp(slash.executableAt);
        if (block.timestamp >= slash.executableAt + EXECUTION) return;
        if (registry.slashableOf(id) == 0) return;
        uint256 era = block.timestamp / ERA;
        uint256 before = atStake(id);
        uint256 all = sums();
        if (_base[id][era] == 0) _base[id][era] = before;
        registry.executeSlash(slashId);
        uint256 taken = before - atStake(id);
        _taken[id][era] += taken;
        vm.assertEq(all - sums(), taken, "another's stake was slashed");
        vm.assertGe(taken, 1, "nothing taken");
        vm.assertLe(taken, slash.amount, "more than proposed");
        vm.assertLe(_taken[id][era], _base[id][era] * CAP_BPS / 10_000, "more than the cap");
    }

    function cancel(uint256 which) external {
        if (slashes.length == 0) return;
        uint32 slashId = slashes[which % slashes.length];
        if (registry.slashOf(slashId).state != ProviderRegistry.SlashState.Pending) return;
        vm.prank(DISPUTER);
        registry.cancelSlash(slashId, "no");
    }

    function withdrawCredit(uint256 who) external {
        if (registry.creditOf(account(who)) == 0) return;
        vm.prank(account(who));
        creditsPaid += registry.withdrawCredit();
    }

    function donate(uint64 amount) external {
        token.mint(address(registry), amount % 1e9);
        donated += amount % 1e9;
    }

    function wait(uint32 time) external {
        vm.warp(block.timestamp + time % 2 days);
    }

    function pauseOrNot() external {
        bool paused = registry.paused();
        vm.prank(PAUSER);
        if (paused) registry.unpause();
        else registry.pause();
    }

    // --- What must hold -----------------------------------------------------------------------------------------------

    function checkBalance() external view {
        uint256 credits;
        for (uint256 i = 0; i < ACCOUNTS; i++) credits += registry.creditOf(account(i));
        vm.assertEq(staked - left - creditsPaid, sums() + credits, "books differ");
        vm.assertEq(token.balanceOf(address(registry)), sums() + credits + donated, "tokens are missing");
    }

    function checkLeavers() external view {
        for (uint32 id = 1; id <= PROVIDERS; id++) {
            vm.assertEq(token.balanceOf(ownerOf(id)), _leftOf[id], "paid twice or not at all");
        }
    }

    function checkPending() external view {
        uint256[PROVIDERS + 1] memory pending;
        for (uint256 i = 0; i < slashes.length; i++) {
            ProviderRegistry.Slash memory slash = registry.slashOf(slashes[i]);
            if (slash.state == ProviderRegistry.SlashState.Pending) pending[slash.providerId] += slash.amount;
        }
        for (uint32 id = 1; id <= PROVIDERS; id++) {
            ProviderRegistry.Provider memory provider = registry.providerOf(id);
            (uint64 held, uint32 until) = registry.holdOf(id);
            uint256 most = pending[id] > provider.stake ? pending[id] - provider.stake : 0;
            if (block.timestamp >= until) most = 0;
            vm.assertEq(held, most, "the hold is not what is pending");
        }
    }

    /// @dev Paused, and with somebody who proposes all the time: every stake leaves in a thaw, a dispute and an execution.
    function everybodyLeaves() external {
        bool paused = registry.paused();
        for (uint32 id = 1; id <= PROVIDERS; id++) {
            uint64 has = registry.stakeOf(id);
            if (has == 0) continue;
            vm.prank(ownerOf(id));
            registry.requestUnstake(has);
        }
        vm.warp(block.timestamp + THAW - 1);
        if (!paused) {
            for (uint32 id = 1; id <= PROVIDERS; id++) {
                vm.prank(SLASHER);
                registry.proposeSlash(id, 1e18, TREASURY, 0, keccak256("spite"));
            }
            vm.prank(PAUSER);
            registry.pause();
        }
        vm.warp(block.timestamp + DISPUTE + EXECUTION);
        for (uint32 id = 1; id <= PROVIDERS; id++) {
            if (registry.providerOf(id).thawing == 0) continue;
            vm.prank(ownerOf(id));
            registry.withdrawUnstaked();
        }
        for (uint256 i = 0; i < ACCOUNTS; i++) {
            if (registry.creditOf(account(i)) == 0) continue;
            vm.prank(account(i));
            registry.withdrawCredit();
        }
        vm.assertEq(token.balanceOf(address(registry)), donated, "somebody has left money behind");
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ProviderRegistry} from "../../src/ProviderRegistry.sol";
import {SlowTimelock, Symbolic} from "./Symbolic.sol";

/// @title The execution of a slash, for all inputs, with the terms of the deployment's defaults.
contract SlashProof is Symbolic {
    uint256 private constant PROVIDERS = 2;
    uint256 private constant SLASHES = 4;
    uint256 private constant HOLDS = 5;
    uint256 private constant ERA_SLASHES = 6;
    uint256 private constant CREDITS = 7;
    uint32 private constant PROVIDER_ID = 7;
    uint32 private constant SLASH_ID = 3;
    uint256 private constant PENDING = 1;
    uint32 private constant ERA = 1 days;
    uint16 private constant CAP_BPS = 5_000;
    address private constant TREASURY = address(0x7EA5);
    address private constant TENANT = address(0x7E7A);

    ProviderRegistry private registry;

    /// @dev All that the execution of a slash reads.
    struct World {
        uint64 stake;
        uint64 thawing;
        uint64 amount;
        uint64 compensation;
        uint64 pending;
        uint32 era;
        uint64 base;
        uint64 taken;
        uint32 executableAt;
        uint32 time;
    }

    function setUp() public {
        address timelock = address(new SlowTimelock());
        ProviderRegistry code = new ProviderRegistry(
            IERC20(TOKEN), timelock, ProviderRegistry.Terms(7 days, 3 days, 4 days, ERA, CAP_BPS)
        );
        registry = ProviderRegistry(
            proxyOf(address(code), abi.encodeCall(ProviderRegistry.initialize, (address(this), TREASURY)))
        );
    }

    /// @dev A pending slash in any state that the contract can have brought about.
    function assumePending(World memory w) private {
        vm.assume(uint256(w.stake) + w.thawing <= MAX_AMOUNT);
        vm.assume(w.amount != 0 && w.amount <= MAX_AMOUNT && w.compensation <= w.amount);
        vm.assume(w.pending >= w.amount);
        vm.assume(w.base <= MAX_AMOUNT && w.taken <= floorOf(w.base, CAP_BPS, 10_000));
        // The contract's times are 32 bits, and its sums of two of them must be.
        vm.assume(w.executableAt <= type(uint32).max - 7 days);
        put(
            address(registry), mappingSlot(PROVIDER_ID, PROVIDERS), uint160(address(this)) | (uint256(w.stake) << 160)
        );
        put(
            address(registry),
            plus(mappingSlot(PROVIDER_ID, PROVIDERS), 1),
            uint160(address(this)) | (uint256(w.thawing) << 160)
        );
        put(
            address(registry),
            mappingSlot(SLASH_ID, SLASHES),
            uint256(PROVIDER_ID) | (uint256(w.amount) << 32) | (uint256(w.compensation) << 96)
                | (uint256(w.executableAt) << 160) | (PENDING << 192)
        );
        put(address(registry), plus(mappingSlot(SLASH_ID, SLASHES), 1), uint160(TENANT));
        put(address(registry), mappingSlot(PROVIDER_ID, HOLDS), w.pending);
        put(
            address(registry),
            mappingSlot(PROVIDER_ID, ERA_SLASHES),
            uint256(w.era) | (uint256(w.base) << 32) | (uint256(w.taken) << 96)
        );
        vm.warp(w.time);
    }

    function staked() private view returns (uint256) {
        return bits(address(registry), mappingSlot(PROVIDER_ID, PROVIDERS), 160, 64);
    }

    function thaws() private view returns (uint256) {
        return bits(address(registry), plus(mappingSlot(PROVIDER_ID, PROVIDERS), 1), 160, 64);
    }

    function slashes(uint256 offset, uint256 size) private view returns (uint256) {
        return bits(address(registry), mappingSlot(PROVIDER_ID, ERA_SLASHES), offset, size);
    }

    function credit(address account) private view returns (uint256) {
        return bits(address(registry), mappingSlot(uint160(account), CREDITS), 0, 256);
    }

    /// @dev What stake and thawing amount have lost.
    function taken(World memory w) private view returns (uint256) {
        return uint256(w.stake) + w.thawing - staked() - thaws();
    }

    function execute() private returns (bool success) {
        (success,) = address(registry).call(abi.encodeCall(ProviderRegistry.executeSlash, (SLASH_ID)));
    }

    /// @notice A slash takes no more than was proposed and no more than there is, within its time, and from the stake before
    /// anything else.
    function check_slash_takes_within_amount_and_stake(World memory w) external {
        assumePending(w);
        if (!execute()) return;
        assert(w.time >= w.executableAt && w.time < uint256(w.executableAt) + 4 days);
        assert(staked() <= w.stake && thaws() <= w.thawing);
        assert(thaws() == w.thawing || staked() == 0);
        uint256 lost = taken(w);
        assert(lost != 0 && lost <= w.amount);
    }

    /// @notice What a slash takes is what tenant and treasury are credited, the tenant first and up to its part; and it no
    /// longer holds back what thaws.
    function check_slash_credits_what_it_takes(World memory w) external {
        assumePending(w);
        if (!execute()) return;
        uint256 lost = taken(w);
        uint256 compensated = credit(TENANT);
        assert(compensated == (lost < w.compensation ? lost : w.compensation));
        assert(credit(TREASURY) == lost - compensated);
        assert(bits(address(registry), mappingSlot(PROVIDER_ID, HOLDS), 0, 64) == uint256(w.pending) - w.amount);
    }

    /// @notice In one era no more than half of what was at stake before its first slash is taken, however many slashes are
    /// executed: one more keeps the rule.
    function check_slash_keeps_the_cap_of_the_era(World memory w) external {
        assumePending(w);
        if (!execute()) return;
        uint256 before = uint256(w.stake) + w.thawing;
        uint256 lost = taken(w);
        uint256 era = w.time / ERA;
        assert(slashes(0, 32) == era);
        if (w.era == era) {
            assert(slashes(32, 64) == w.base);
            assert(slashes(96, 64) == uint256(w.taken) + lost);
        } else {
            assert(slashes(32, 64) == before);
            assert(slashes(96, 64) == lost);
        }
        assert(slashes(96, 64) <= floorOf(slashes(32, 64), CAP_BPS, 10_000));
    }

    /// @notice A slash is executed once.
    function check_slash_is_executed_once(World memory w) external {
        assumePending(w);
        if (!execute()) return;
        assert(!execute());
    }

    // --- That the proofs are about something: each of these has a counterexample, and the run demands that it is found ---

    /// @dev A witness needs one case only, and the solver finds it where there is little to divide.
    function assumeFirstOfEra(World memory w, uint64 stake, uint64 thawing) private {
        w.stake = stake;
        w.thawing = thawing;
        w.time = 500 * ERA;
        w.executableAt = w.time;
        w.era = 1;
        w.base = 0;
        w.taken = 0;
        assumePending(w);
    }

    function witness_a_slash_pays_tenant_and_treasury(World memory w) external {
        assumeFirstOfEra(w, 600, 400);
        if (!execute()) return;
        assert(credit(TENANT) == 0 || credit(TREASURY) == 0);
    }

    function witness_a_slash_takes_from_what_thaws(World memory w) external {
        assumeFirstOfEra(w, 100, 900);
        if (!execute()) return;
        assert(thaws() == w.thawing);
    }

    function witness_the_cap_holds_a_slash_back(World memory w) external {
        assumeFirstOfEra(w, 600, 400);
        if (!execute()) return;
        assert(credit(TENANT) + credit(TREASURY) == w.amount);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";
import {ComputeMarket} from "../src/ComputeMarket.sol";
import {LivenessRewards} from "../src/LivenessRewards.sol";
import {ProtocolContract} from "../src/ProtocolContract.sol";
import {ProviderRegistry} from "../src/ProviderRegistry.sol";
import {Base} from "./Base.sol";

/// @dev Only the timelock upgrades, money and terms stay where they are, and whoever wants to leave first can.
contract UpgradesTest is Base {
    /// @dev keccak256("eip1967.proxy.implementation") - 1
    bytes32 private constant IMPLEMENTATION = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;

    function setUp() public {
        setUpMarket();
        registerProviders(1);
        fund(TENANT, 1e9);
        consent(TENANT);
    }

    function newMarket() private returns (address) {
        return deploy("ComputeMarket", abi.encode(token, registry, timelock, FORCE_CLOSE_AFTER + 1));
    }

    function codeOf(address proxy) private view returns (address) {
        return address(uint160(uint256(vm.load(proxy, IMPLEMENTATION))));
    }

    function test_no_role_and_no_key_upgrades_without_the_timelock() public {
        address code = newMarket();
        address[8] memory callers = [ADMIN, OPERATOR, PAUSER, PROPOSER, SLASHER, DISPUTER, TREASURY, STRANGER];
        address[3] memory proxies = [address(market), address(registry), address(rewards)];
        for (uint256 i = 0; i < callers.length; i++) {
            for (uint256 j = 0; j < proxies.length; j++) {
                vm.expectRevert(abi.encodeWithSelector(ProtocolContract.NotUpgrader.selector, callers[i]));
                vm.prank(callers[i]);
                UUPSUpgradeable(proxies[j]).upgradeToAndCall(code, "");
            }
        }
    }

    function test_an_upgrade_waits_out_the_delay_and_moves_no_money() public {
        uint96 key = keyOf(1, 1);
        open(TENANT, key, RATE, 3600);
        address code = newMarket();
        bytes memory call = abi.encodeCall(UUPSUpgradeable.upgradeToAndCall, (code, ""));
        vm.expectRevert();
        vm.prank(STRANGER);
        timelock.schedule(address(market), 0, call, 0, 0, UPGRADE_DELAY);
        vm.expectRevert();
        vm.prank(PROPOSER);
        timelock.schedule(address(market), 0, call, 0, 0, UPGRADE_DELAY - 1);
        vm.prank(PROPOSER);
        timelock.schedule(address(market), 0, call, 0, 0, UPGRADE_DELAY);
        uint256 scheduledAt = block.timestamp;
        vm.warp(scheduledAt + UPGRADE_DELAY - 1);
        vm.expectRevert();
        timelock.execute(address(market), 0, call, 0, 0);
        vm.warp(scheduledAt + UPGRADE_DELAY);
        vm.prank(STRANGER);
        timelock.execute(address(market), 0, call, 0, 0);
        vm.assertEq(codeOf(address(market)), code);
        vm.assertEq(market.forceCloseAfterSeconds(), FORCE_CLOSE_AFTER + 1);
        vm.assertEq(market.tenantOf(TENANT).locked, 3_600_000);
        vm.assertEq(market.tenantOf(TENANT).free, 1e9 - 3_600_000);
        settle(single(key, 3_600_000));
        vm.assertEq(market.earningsOf(1).earned, 3_600_000);
        vm.prank(payoutOf(1));
        market.claim(1);
    }

    function test_a_canceller_stops_an_upgrade_and_can_do_nothing_else() public {
        bytes memory call = abi.encodeCall(UUPSUpgradeable.upgradeToAndCall, (newMarket(), ""));
        vm.expectRevert();
        vm.prank(CANCELLER);
        timelock.schedule(address(market), 0, call, 0, 0, UPGRADE_DELAY);
        vm.prank(PROPOSER);
        timelock.schedule(address(market), 0, call, 0, 0, UPGRADE_DELAY);
        bytes32 operation = timelock.hashOperation(address(market), 0, call, 0, 0);
        vm.expectRevert();
        vm.prank(STRANGER);
        timelock.cancel(operation);
        vm.prank(CANCELLER);
        timelock.cancel(operation);
        vm.warp(block.timestamp + UPGRADE_DELAY);
        vm.expectRevert();
        timelock.execute(address(market), 0, call, 0, 0);
    }

    /// @dev Everybody is out between an upgrade's announcement and its execution, without the operator.
    function test_there_is_time_to_leave_before_an_upgrade() public {
        token.mint(ownerOf(1), 1_000);
        vm.startPrank(ownerOf(1));
        token.approve(address(registry), 1_000);
        registry.stake(1_000);
        vm.stopPrank();
        open(TENANT, keyOf(1, 1), RATE, 10 days);
        address code = newMarket();
        bytes memory call = abi.encodeCall(UUPSUpgradeable.upgradeToAndCall, (code, ""));
        vm.prank(PROPOSER);
        timelock.schedule(address(market), 0, call, 0, 0, UPGRADE_DELAY);
        uint256 scheduledAt = block.timestamp;
        vm.prank(TENANT);
        market.stopLease(keyOf(1, 1));
        vm.prank(ownerOf(1));
        registry.requestUnstake(1_000);
        vm.warp(scheduledAt + THAW - 1);
        vm.prank(SLASHER);
        registry.proposeSlash(1, 1_000, TENANT, 0, "spite");
        vm.warp(scheduledAt + UPGRADE_DELAY - 1);
        vm.prank(TENANT);
        market.forceClose(keyOf(1, 1));
        vm.prank(TENANT);
        market.withdraw(1e9);
        vm.prank(ownerOf(1));
        registry.withdrawUnstaked();
        vm.assertEq(token.balanceOf(TENANT), 1e9);
        vm.assertEq(token.balanceOf(ownerOf(1)), 1_000);
        vm.expectRevert();
        timelock.execute(address(market), 0, call, 0, 0);
    }

    function test_nothing_is_initialized_twice_and_bare_code_never() public {
        bytes memory done = abi.encodeWithSelector(Initializable.InvalidInitialization.selector);
        vm.expectRevert(done);
        market.initialize(STRANGER);
        vm.expectRevert(done);
        registry.initialize(STRANGER, STRANGER);
        vm.expectRevert(done);
        rewards.initialize(STRANGER);
        address[3] memory codes = [codeOf(address(market)), codeOf(address(registry)), codeOf(address(rewards))];
        vm.expectRevert(done);
        ComputeMarket(codes[0]).initialize(STRANGER);
        vm.expectRevert(done);
        ProviderRegistry(codes[1]).initialize(STRANGER, STRANGER);
        vm.expectRevert(done);
        LivenessRewards(codes[2]).initialize(STRANGER);
        for (uint256 i = 0; i < codes.length; i++) {
            vm.expectRevert(abi.encodeWithSelector(UUPSUpgradeable.UUPSUnauthorizedCallContext.selector));
            vm.prank(address(timelock));
            UUPSUpgradeable(codes[i]).upgradeToAndCall(codes[i], "");
        }
    }

    function test_a_proxy_without_admin_or_treasury_is_not_made() public {
        address[3] memory codes = [codeOf(address(market)), codeOf(address(registry)), codeOf(address(rewards))];
        bytes[4] memory calls = [
            abi.encodeCall(ComputeMarket.initialize, (address(0))),
            abi.encodeCall(ProviderRegistry.initialize, (address(0), TREASURY)),
            abi.encodeCall(LivenessRewards.initialize, (address(0))),
            abi.encodeCall(ProviderRegistry.initialize, (ADMIN, address(0)))
        ];
        for (uint256 i = 0; i < calls.length; i++) {
            (address deployed, bytes memory reason) =
                tryDeploy("GridbourseProxy", abi.encode(codes[i % 2 == 1 ? 1 : i], calls[i]));
            vm.assertEq(deployed, address(0));
            vm.assertEq(reason, abi.encodeWithSelector(ProtocolContract.ZeroAddress.selector));
        }
        (address uninitialized,) = tryDeploy("GridbourseProxy", abi.encode(codes[0], ""));
        vm.assertEq(uninitialized, address(0));
    }

    function test_the_timelock_has_no_master_but_itself() public {
        bytes32 admin = timelock.DEFAULT_ADMIN_ROLE();
        vm.assertTrue(timelock.hasRole(admin, address(timelock)));
        address[5] memory others = [ADMIN, PROPOSER, OPERATOR, STRANGER, address(this)];
        for (uint256 i = 0; i < others.length; i++) vm.assertFalse(timelock.hasRole(admin, others[i]));
        vm.expectRevert();
        vm.prank(PROPOSER);
        timelock.updateDelay(0);
    }

    /// @dev What the admin can do is to name keys; the keys can do what the other tests say.
    function test_only_the_admin_names_keys() public {
        address[3] memory contracts = [address(market), address(registry), address(rewards)];
        bytes32 pauser = market.PAUSER_ROLE();
        for (uint256 i = 0; i < contracts.length; i++) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IAccessControl.AccessControlUnauthorizedAccount.selector, OPERATOR, bytes32(0)
                )
            );
            vm.prank(OPERATOR);
            IAccessControl(contracts[i]).grantRole(pauser, OPERATOR);
            vm.expectRevert(
                abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, ADMIN, pauser)
            );
            vm.prank(ADMIN);
            ProtocolContract(contracts[i]).pause();
            vm.prank(PAUSER);
            ProtocolContract(contracts[i]).pause();
            vm.expectRevert(
                abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, ADMIN, pauser)
            );
            vm.prank(ADMIN);
            ProtocolContract(contracts[i]).unpause();
        }
    }
}

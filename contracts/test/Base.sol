// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ComputeMarket} from "../src/ComputeMarket.sol";
import {ProviderRegistry} from "../src/ProviderRegistry.sol";
import {TestUSDC} from "../src/TestUSDC.sol";

/// @dev The part of Foundry's cheatcodes that these tests use.
interface Vm {
    function prank(address sender) external;
    function warp(uint256 timestamp) external;
    function expectRevert(bytes calldata data) external;
    function addr(uint256 privateKey) external pure returns (address);
    function sign(uint256 privateKey, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function assertEq(uint256 left, uint256 right) external pure;
    function assertEq(uint256 left, uint256 right, string calldata what) external pure;
    function assertLe(uint256 left, uint256 right, string calldata what) external pure;
    function assertGe(uint256 left, uint256 right, string calldata what) external pure;
    function assertEq(address left, address right) external pure;
    function assertEq(bytes calldata left, bytes calldata right) external pure;
    function assertTrue(bool value) external pure;
    function assertTrue(bool value, string calldata what) external pure;
    function assertFalse(bool value) external pure;
    function readFile(string calldata path) external view returns (string memory);
    function parseBytes(string calldata hexText) external pure returns (bytes memory);
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);

    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }
}

/// @dev A market with roles on separate addresses, and helpers to speak to it.
abstract contract Base {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    address internal constant ADMIN = address(0xAD);
    address internal constant OPERATOR = address(0x09);
    address internal constant PAUSER = address(0x9A);
    address internal constant TENANT = address(0x7E1);
    address internal constant STRANGER = address(0x57);
    uint32 internal constant FORCE_CLOSE_AFTER = 1 days;
    uint32 internal constant THAW = 7 days;
    /// @dev 1,000 micros a second
    uint64 internal constant RATE = 3_600_000;
    uint40 internal constant FOREVER = type(uint40).max;

    TestUSDC internal token;
    ProviderRegistry internal registry;
    ComputeMarket internal market;

    function setUpMarket() internal {
        vm.warp(1_700_000_000);
        token = TestUSDC(deploy("TestUSDC", ""));
        registry = ProviderRegistry(deploy("ProviderRegistry", abi.encode(token, ADMIN, THAW)));
        market = ComputeMarket(deploy("ComputeMarket", abi.encode(token, registry, ADMIN, FORCE_CLOSE_AFTER)));
        bytes32 operator = market.OPERATOR_ROLE();
        bytes32 pauser = market.PAUSER_ROLE();
        vm.prank(ADMIN);
        market.grantRole(operator, OPERATOR);
        vm.prank(ADMIN);
        market.grantRole(pauser, PAUSER);
        vm.prank(ADMIN);
        registry.grantRole(pauser, PAUSER);
    }

    /// @dev The bytecode that tools/test.mjs has compiled: the same that is deployed.
    function deploy(string memory name, bytes memory arguments) private returns (address deployed) {
        string memory path = string.concat("cache/bytecode/", name, ".hex");
        bytes memory code = bytes.concat(vm.parseBytes(vm.readFile(path)), arguments);
        assembly ("memory-safe") {
            deployed := create(0, add(code, 32), mload(code))
        }
        vm.assertTrue(deployed != address(0), name);
    }

    function ownerOf(uint32 providerId) internal pure returns (address) {
        return address(uint160(0xB000) + providerId);
    }

    function payoutOf(uint32 providerId) internal pure returns (address) {
        return address(uint160(0xF000) + providerId);
    }

    function registerProviders(uint32 count) internal {
        for (uint32 id = 1; id <= count; id++) {
            vm.prank(ownerOf(id));
            registry.register(payoutOf(id), bytes32(uint256(id)));
        }
    }

    function fund(address tenant, uint64 amount) internal {
        token.mint(tenant, amount);
        vm.prank(tenant);
        token.approve(address(market), amount);
        vm.prank(tenant);
        market.deposit(amount);
    }

    function consent(address tenant) internal {
        vm.prank(tenant);
        market.setSpendingLimit(type(uint64).max, type(uint64).max, FOREVER);
    }

    function keyOf(uint32 providerId, uint64 serial) internal pure returns (uint96) {
        return (uint96(providerId) << 64) | serial;
    }

    function open(address tenant, uint96 leaseKey, uint64 rate, uint32 duration) internal {
        vm.prank(OPERATOR);
        market.openLease(leaseKey, tenant, rate, duration, keccak256(abi.encode(leaseKey)));
    }

    function row(uint64 serial, uint64 cumulative) internal pure returns (bytes memory) {
        return abi.encodePacked(serial, cumulative);
    }

    function group(uint32 providerId, uint16 count, bytes memory rows) internal pure returns (bytes memory) {
        return abi.encodePacked(providerId, count, rows);
    }

    /// @dev A batch of one row.
    function single(uint96 leaseKey, uint64 cumulative) internal pure returns (bytes memory) {
        return group(uint32(leaseKey >> 64), 1, row(uint64(leaseKey), cumulative));
    }

    function settle(bytes memory batch) internal {
        vm.prank(OPERATOR);
        market.settleBatch(batch);
    }

    function settledOf(uint96 leaseKey) internal view returns (uint64 settled) {
        (,, settled,,,) = market.leaseOf(leaseKey);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ComputeMarket} from "../src/ComputeMarket.sol";
import {LivenessRewards} from "../src/LivenessRewards.sol";
import {ProviderRegistry} from "../src/ProviderRegistry.sol";
import {Order} from "../src/SignedConsent.sol";
import {TestUSDC} from "../src/TestUSDC.sol";
import {UpgradeTimelock} from "../src/UpgradeTimelock.sol";

/// @dev The part of Foundry's cheatcodes that these tests use.
interface Vm {
    function prank(address sender) external;
    function warp(uint256 timestamp) external;
    function startPrank(address sender) external;
    function stopPrank() external;
    function chainId(uint256 id) external;
    function etch(address account, bytes calldata code) external;
    function load(address account, bytes32 slot) external view returns (bytes32 value);
    function store(address account, bytes32 slot, bytes32 value) external;
    function envOr(string calldata name, string calldata otherwise) external view returns (string memory);
    function writeLine(string calldata path, string calldata line) external;
    function toString(uint256 value) external pure returns (string memory);
    function snapshotState() external returns (uint256 id);
    function revertToState(uint256 id) external returns (bool);
    function expectRevert(bytes calldata data) external;
    function expectRevert() external;
    function addr(uint256 privateKey) external pure returns (address);
    function sign(uint256 privateKey, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function assertEq(uint256 left, uint256 right) external pure;
    function assertEq(uint256 left, uint256 right, string calldata what) external pure;
    function assertLe(uint256 left, uint256 right, string calldata what) external pure;
    function assertGe(uint256 left, uint256 right, string calldata what) external pure;
    function assertEq(address left, address right) external pure;
    function assertEq(bytes32 left, bytes32 right) external pure;
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
    address internal constant RATER = address(0x71E5);
    address internal constant SUSPENDER = address(0x5059);
    address internal constant SLASHER = address(0x51A5);
    address internal constant DISPUTER = address(0xD15);
    address internal constant POSTER = address(0x905);
    address internal constant PROPOSER = address(0x960);
    address internal constant CANCELLER = address(0xCA9C);
    address internal constant TREASURY = address(0x7EA5);
    address internal constant TENANT = address(0x7E1);
    address internal constant STRANGER = address(0x57);
    uint32 internal constant FORCE_CLOSE_AFTER = 1 days;
    uint32 internal constant THAW = 7 days;
    uint32 internal constant DISPUTE = 3 days;
    uint32 internal constant EXECUTION = 4 days;
    uint32 internal constant ERA = 1 days;
    uint16 internal constant CAP_BPS = 5_000;
    uint32 internal constant CLAIM_TIME = 365 days;
    uint256 internal constant UPGRADE_DELAY = 14 days;
    /// @dev 1,000 micros a second
    uint64 internal constant RATE = 3_600_000;
    uint40 internal constant FOREVER = type(uint40).max;

    TestUSDC internal token;
    UpgradeTimelock internal timelock;
    ProviderRegistry internal registry;
    ComputeMarket internal market;
    LivenessRewards internal rewards;

    function setUpMarket() internal {
        setUpMarketWith(deploy("TestUSDC", ""));
    }

    function setUpMarketWith(address tokenAddress) internal {
        vm.warp(1_700_000_000);
        token = TestUSDC(tokenAddress);
        address[] memory proposers = new address[](1);
        proposers[0] = PROPOSER;
        address[] memory cancellers = new address[](1);
        cancellers[0] = CANCELLER;
        timelock = UpgradeTimelock(
            payable(deploy("UpgradeTimelock", abi.encode(UPGRADE_DELAY, proposers, new address[](1), cancellers)))
        );
        registry = ProviderRegistry(
            proxied(
                deploy("ProviderRegistry", registryArguments(defaultTerms())),
                abi.encodeCall(ProviderRegistry.initialize, (ADMIN, TREASURY))
            )
        );
        market = ComputeMarket(
            proxied(
                deploy("ComputeMarket", abi.encode(token, registry, timelock, FORCE_CLOSE_AFTER)),
                abi.encodeCall(ComputeMarket.initialize, (ADMIN))
            )
        );
        rewards = LivenessRewards(
            proxied(
                deploy("LivenessRewards", abi.encode(token, registry, timelock, ERA, DISPUTE, CLAIM_TIME)),
                abi.encodeCall(LivenessRewards.initialize, (ADMIN))
            )
        );
        bytes32 pauser = market.PAUSER_ROLE();
        vm.startPrank(ADMIN);
        market.grantRole(market.OPERATOR_ROLE(), OPERATOR);
        market.grantRole(pauser, PAUSER);
        registry.grantRole(pauser, PAUSER);
        registry.grantRole(registry.TIER_ROLE(), RATER);
        registry.grantRole(registry.SUSPENDER_ROLE(), SUSPENDER);
        registry.grantRole(registry.SLASHER_ROLE(), SLASHER);
        registry.grantRole(registry.DISPUTE_ROLE(), DISPUTER);
        rewards.grantRole(pauser, PAUSER);
        rewards.grantRole(rewards.POSTER_ROLE(), POSTER);
        rewards.grantRole(rewards.DISPUTE_ROLE(), DISPUTER);
        vm.stopPrank();
    }

    function defaultTerms() internal pure returns (ProviderRegistry.Terms memory) {
        return ProviderRegistry.Terms(THAW, DISPUTE, EXECUTION, ERA, CAP_BPS);
    }

    function registryArguments(ProviderRegistry.Terms memory terms) internal view returns (bytes memory) {
        return abi.encode(token, timelock, terms);
    }

    function proxied(address implementation, bytes memory initialization) internal returns (address) {
        return deploy("GridbourseProxy", abi.encode(implementation, initialization));
    }

    /// @dev The bytecode that tools/test.mjs has compiled: the same that is deployed.
    function deploy(string memory name, bytes memory arguments) internal returns (address deployed) {
        bytes memory reason;
        (deployed, reason) = tryDeploy(name, arguments);
        vm.assertTrue(deployed != address(0), name);
    }

    /// @return deployed the zero address where the constructor refused
    /// @return reason its refusal
    function tryDeploy(string memory name, bytes memory arguments)
        internal
        returns (address deployed, bytes memory reason)
    {
        string memory folder = vm.envOr("GRIDBOURSE_BYTECODE", string("cache/bytecode"));
        bytes memory code = bytes.concat(
            vm.parseBytes(vm.readFile(string.concat(folder, "/", name, ".hex"))), arguments
        );
        assembly ("memory-safe") {
            deployed := create(0, add(code, 32), mload(code))
            if iszero(deployed) {
                reason := mload(0x40)
                mstore(0x40, add(reason, add(32, returndatasize())))
                mstore(reason, returndatasize())
                returndatacopy(add(reason, 32), 0, returndatasize())
            }
        }
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

    function signed(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function settledOf(uint96 leaseKey) internal view returns (uint64 settled) {
        (,, settled,,,) = market.leaseOf(leaseKey);
    }
}

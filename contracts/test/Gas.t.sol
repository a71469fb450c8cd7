// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LivenessRewards} from "../src/LivenessRewards.sol";
import {Order} from "../src/SignedConsent.sol";
import {Base} from "./Base.sol";

interface VmGas {
    function snapshotValue(string calldata group, string calldata name, uint256 value) external;
}

/// @dev Gas of whole transactions, as a chain counts it: everything is set up before, so that each test finds it cold.
/// tools/test.mjs compares what is measured here with contracts/gas-snapshot.json.
contract GasTest is Base {
    uint256 private constant TENANT_KEY = 0xA11CE;
    uint256 private constant TRANSACTION_GAS = 21_000;
    uint256 private constant ZERO_BYTE_GAS = 4;
    uint256 private constant OTHER_BYTE_GAS = 16;
    /// @dev A call from here finds the callee cold; a transaction does not.
    uint256 private constant COLD_CALLEE_GAS = 2_500;
    uint32 private constant PROVIDERS = 16;
    uint256 private constant LEASES = 256;
    /// @dev Goal of the design for a batch of 256 over 16 providers, leases spread at random.
    uint256 private constant GOAL = 6_500;

    address private tenant;
    uint32[] private providerAt;
    uint64[] private serialAt;
    LivenessRewards.Reward private reward;

    function setUp() public {
        setUpMarket();
        tenant = vm.addr(TENANT_KEY);
        registerProviders(PROVIDERS + 1);
        fund(tenant, 1e15);
        consent(tenant);
        token.mint(tenant, 1e9);
        vm.prank(tenant);
        token.approve(address(market), type(uint256).max);
        uint64[18] memory serials;
        for (uint256 i = 0; i < LEASES; i++) {
            uint32 provider = uint32(uint256(keccak256(abi.encode("spread", i))) % PROVIDERS) + 1;
            providerAt.push(provider);
            serialAt.push(++serials[provider]);
            open(tenant, keyOf(provider, serials[provider]), RATE, 1 days);
        }
        for (uint64 serial = 1; serial <= LEASES; serial++) {
            open(tenant, keyOf(PROVIDERS + 1, serial), RATE, 1 days);
        }
        fundAnEra();
        vm.warp(block.timestamp + 1 hours);
        settle(spread(LEASES, 1_234_567));
        settle(dense(LEASES, 1_234_567));
        vm.prank(payoutOf(1));
        market.claim(1);
        settle(single(keyOf(1, 1), 1_300_000));
        vm.warp(block.timestamp + 1 hours);
    }

    function fundAnEra() private {
        uint32 era = rewards.currentEra();
        vm.startPrank(tenant);
        token.approve(address(rewards), 1_000);
        rewards.fund(era, 1_000);
        vm.stopPrank();
        vm.warp(block.timestamp + ERA);
        reward = LivenessRewards.Reward(era, 1, 0, 700);
        bytes32 root = rewards.leafOf(reward);
        vm.prank(POSTER);
        rewards.postRoot(era, root);
        vm.warp(block.timestamp + DISPUTE);
    }

    // --- Batches ---

    /// @dev The first leases of those that were spread at random, grouped by provider.
    function spread(uint256 count, uint64 cumulative) private view returns (bytes memory batch) {
        for (uint32 provider = 1; provider <= PROVIDERS; provider++) {
            bytes memory rows;
            uint16 found;
            for (uint256 i = 0; i < count; i++) {
                if (providerAt[i] != provider) continue;
                rows = abi.encodePacked(rows, row(serialAt[i], cumulative));
                found++;
            }
            if (found != 0) batch = abi.encodePacked(batch, group(provider, found, rows));
        }
    }

    /// @dev All of one provider.
    function dense(uint256 count, uint64 cumulative) private pure returns (bytes memory) {
        bytes memory rows;
        for (uint64 serial = 1; serial <= count; serial++) rows = abi.encodePacked(rows, row(serial, cumulative));
        return group(PROVIDERS + 1, uint16(count), rows);
    }

    function gasOf(address from, address to, bytes memory data) private returns (uint256 used) {
        vm.prank(from);
        used = gasleft();
        (bool done,) = to.call(data);
        used -= gasleft();
        vm.assertTrue(done, "refused");
        used += TRANSACTION_GAS - COLD_CALLEE_GAS;
        for (uint256 i = 0; i < data.length; i++) used += data[i] == 0 ? ZERO_BYTE_GAS : OTHER_BYTE_GAS;
    }

    function note(string memory name, uint256 used) private {
        VmGas(address(vm)).snapshotValue("gas", name, used);
    }

    function noteBatch(string memory name, uint256 count, bytes memory batch) private returns (uint256 perLease) {
        perLease = gasOf(OPERATOR, address(market), abi.encodeCall(market.settleBatch, (batch))) / count;
        note(name, perLease);
    }

    function test_gas_batch_of_256_over_16_meets_the_goal() public {
        uint256 perLease = noteBatch("settle, a lease of 256 over 16 providers", 256, spread(256, 2_345_678));
        vm.assertLe(perLease, GOAL, "gas per settled lease");
        for (uint256 i = 0; i < LEASES; i++) {
            vm.assertEq(settledOf(keyOf(providerAt[i], serialAt[i])), 2_345_678);
        }
    }

    function test_gas_smaller_batches() public {
        noteBatch("settle, a lease of 64 over 16 providers", 64, spread(64, 2_345_678));
    }

    function test_gas_batch_of_16() public {
        noteBatch("settle, a lease of 16 over 16 providers at most", 16, spread(16, 2_345_678));
    }

    function test_gas_batch_of_1() public {
        noteBatch("settle, one lease", 1, spread(1, 2_345_678));
    }

    function test_gas_dense_batch() public {
        noteBatch("settle, a lease of 256 of one provider", 256, dense(256, 2_345_678));
    }

    function test_gas_repeated_batch() public {
        noteBatch("settle again, a lease of 256 over 16 providers", 256, spread(256, 1_234_567));
    }

    /// @dev The same market without a proxy in front of it: what upgrades cost.
    function test_gas_of_the_proxy() public {
        bytes memory call = abi.encodeCall(market.settleBatch, (spread(256, 2_345_678)));
        uint256 state = vm.snapshotState();
        uint256 proxiedGas = gasOf(OPERATOR, address(market), call);
        vm.revertToState(state);
        bytes32 slot = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;
        vm.etch(address(market), address(uint160(uint256(vm.load(address(market), slot)))).code);
        uint256 bareGas = gasOf(OPERATOR, address(market), call);
        note("proxy, a lease of 256 over 16 providers", (proxiedGas - bareGas) / LEASES);
    }

    // --- One by one ---

    function test_gas_open() public {
        bytes memory call =
            abi.encodeCall(market.openLease, (keyOf(1, 5_000), tenant, RATE, 1 days, keccak256("lease")));
        note("openLease", gasOf(OPERATOR, address(market), call));
    }

    function test_gas_open_with_order() public {
        Order memory order = Order(tenant, 1, RATE, 1e9, FOREVER, 7, keccak256("ord_1"));
        bytes memory signature = signed(TENANT_KEY, market.hashOrder(order));
        bytes memory call = abi.encodeCall(
            market.openLeaseWithOrder, (keyOf(1, 5_000), RATE, 1 days, keccak256("lease"), order, signature)
        );
        note("openLeaseWithOrder", gasOf(OPERATOR, address(market), call));
    }

    function test_gas_extend() public {
        bytes memory call = abi.encodeCall(market.extendLease, (keyOf(1, 1), 1 days));
        note("extendLease", gasOf(tenant, address(market), call));
    }

    function test_gas_stop() public {
        note("stopLease", gasOf(tenant, address(market), abi.encodeCall(market.stopLease, (keyOf(1, 1)))));
    }

    function test_gas_close() public {
        bytes memory call = abi.encodeCall(market.closeLease, (keyOf(1, 1), 2_345_678));
        note("closeLease", gasOf(OPERATOR, address(market), call));
    }

    function test_gas_force_close() public {
        vm.warp(block.timestamp + 2 days);
        bytes memory call = abi.encodeCall(market.forceClose, (keyOf(1, 1)));
        note("forceClose", gasOf(tenant, address(market), call));
    }

    function test_gas_claim() public {
        note("claim", gasOf(payoutOf(1), address(market), abi.encodeCall(market.claim, (1))));
    }

    function test_gas_deposit() public {
        note("deposit", gasOf(tenant, address(market), abi.encodeCall(market.deposit, (1e6))));
    }

    function test_gas_withdraw() public {
        note("withdraw", gasOf(tenant, address(market), abi.encodeCall(market.withdraw, (1e6))));
    }

    function test_gas_spending_limit() public {
        bytes memory call = abi.encodeCall(market.setSpendingLimit, (RATE, 1e9, FOREVER));
        note("setSpendingLimit", gasOf(tenant, address(market), call));
    }

    function test_gas_slash() public {
        token.mint(ownerOf(1), 1_000);
        vm.startPrank(ownerOf(1));
        token.approve(address(registry), 1_000);
        registry.stake(1_000);
        vm.stopPrank();
        bytes memory call = abi.encodeCall(registry.proposeSlash, (1, 100, tenant, 100, keccak256("evidence")));
        note("proposeSlash", gasOf(SLASHER, address(registry), call));
    }

    function test_gas_reward() public {
        bytes memory call = abi.encodeCall(rewards.claim, (reward, new bytes32[](0)));
        note("LivenessRewards.claim", gasOf(payoutOf(1), address(rewards), call));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {MarketEvents} from "../src/MarketEvents.sol";
import {ProtocolContract} from "../src/ProtocolContract.sol";
import {Order, SignedConsent} from "../src/SignedConsent.sol";
import {TestUSDC} from "../src/TestUSDC.sol";
import {Base, Vm} from "./Base.sol";
import {Wallet} from "./Hostile.sol";

/// @dev What a tenant signs: orders, spending limits, deposits.
contract ConsentTest is Base {
    uint256 private constant KEY = 0xA11CE;
    /// @dev Order of the curve: s and N - s are both good signatures to ecrecover.
    uint256 private constant N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    uint96 private immutable LEASE = keyOf(1, 1);
    address private alice;

    function setUp() public {
        setUpMarket();
        registerProviders(2);
        alice = vm.addr(KEY);
        fund(alice, 1e9);
    }

    function orderOf(address tenant) private view returns (Order memory) {
        return Order(tenant, 1, RATE, 3_600_000, uint40(block.timestamp + 60), 7, keccak256("ord_1"));
    }

    function domain(uint256 chain, address verifier) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Gridbourse ComputeMarket"),
                keccak256("1"),
                chain,
                verifier
            )
        );
    }

    /// @dev By hand, from the standard: the contract's own word for it is not asked.
    function digestOf(Order memory order, bytes32 separator) private pure returns (bytes32) {
        bytes32 content = keccak256(
            abi.encode(
                keccak256(
                    "Order(address tenant,uint32 providerId,uint64 maxRatePerHour,uint64 maxLock,uint40 deadline,uint256 nonce,bytes32 orderRef)"
                ),
                order.tenant,
                order.providerId,
                order.maxRatePerHour,
                order.maxLock,
                order.deadline,
                order.nonce,
                order.orderRef
            )
        );
        return keccak256(abi.encodePacked("\x19\x01", separator, content));
    }

    function signOrder(Order memory order) private view returns (bytes memory) {
        return signed(KEY, digestOf(order, domain(block.chainid, address(market))));
    }

    function openWith(uint96 leaseKey, uint64 rate, uint32 duration, Order memory order, bytes memory signature)
        private
    {
        vm.prank(OPERATOR);
        market.openLeaseWithOrder(leaseKey, rate, duration, bytes32(uint256(9)), order, signature);
    }

    function refusesSignature(Order memory order, bytes memory signature) private {
        vm.expectRevert(abi.encodeWithSelector(SignedConsent.InvalidSignature.selector, order.tenant));
        openWith(LEASE, RATE, 3600, order, signature);
    }

    // --- Orders ---

    function test_a_signed_order_opens_one_lease_without_any_spending_limit() public {
        Order memory order = orderOf(alice);
        bytes memory signature = signOrder(order);
        vm.recordLogs();
        openWith(LEASE, RATE, 3600, order, signature);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs[0].topics[0], MarketEvents.OrderUsed.selector);
        vm.assertEq(logs[0].topics[1], bytes32(uint256(uint160(alice))));
        vm.assertEq(logs[0].topics[2], bytes32(uint256(7)));
        vm.assertEq(logs[0].topics[3], bytes32(uint256(LEASE)));
        vm.assertEq(logs[0].data, abi.encode(market.hashOrder(order), order.orderRef));
        (address tenant, uint64 lock,, uint64 rate,, bool isOpen) = market.leaseOf(LEASE);
        vm.assertEq(tenant, alice);
        vm.assertEq(lock, 3_600_000);
        vm.assertEq(rate, RATE);
        vm.assertTrue(isOpen);
        vm.assertEq(market.tenantOf(alice).locked, 3_600_000);
        vm.assertEq(market.tenantOf(alice).ratePerHour, RATE);
        vm.assertTrue(market.isNonceUsed(alice, 7));
        vm.expectRevert(abi.encodeWithSelector(SignedConsent.NonceUsed.selector, alice, 7));
        openWith(keyOf(1, 2), RATE, 3600, order, signature);
    }

    function test_an_order_bounds_rate_lock_provider_and_time() public {
        Order memory order = orderOf(alice);
        bytes memory signature = signOrder(order);
        vm.expectRevert(abi.encodeWithSelector(MarketEvents.RateLimitExceeded.selector, alice, RATE + 1, RATE));
        openWith(LEASE, RATE + 1, 60, order, signature);
        vm.expectRevert(
            abi.encodeWithSelector(MarketEvents.SpendingLimitExceeded.selector, alice, 3_601_000, 3_600_000)
        );
        openWith(LEASE, RATE, 3601, order, signature);
        vm.expectRevert(abi.encodeWithSelector(MarketEvents.OrderNamesOtherProvider.selector, 2, 1));
        openWith(keyOf(2, 1), RATE, 60, order, signature);
        uint256 start = block.timestamp;
        vm.warp(start + 61);
        vm.expectRevert(abi.encodeWithSelector(SignedConsent.SignatureExpired.selector, start + 60));
        openWith(LEASE, RATE, 60, order, signature);
        vm.warp(start + 60);
        openWith(LEASE, RATE, 3600, order, signature);
    }

    function test_an_order_that_names_no_provider_is_for_any() public {
        Order memory order = orderOf(alice);
        order.providerId = 0;
        openWith(keyOf(2, 1), RATE, 60, order, signOrder(order));
        (address tenant,,,,,) = market.leaseOf(keyOf(2, 1));
        vm.assertEq(tenant, alice);
    }

    function test_only_the_operator_uses_an_order_and_never_during_a_pause() public {
        Order memory order = orderOf(alice);
        bytes memory signature = signOrder(order);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAccessControl.AccessControlUnauthorizedAccount.selector, STRANGER, market.OPERATOR_ROLE()
            )
        );
        vm.prank(STRANGER);
        market.openLeaseWithOrder(LEASE, RATE, 60, 0, order, signature);
        vm.prank(PAUSER);
        market.pause();
        vm.expectRevert(abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        openWith(LEASE, RATE, 60, order, signature);
    }

    /// @dev Any change of any field voids the signature.
    function testFuzz_a_changed_order_is_refused(uint256 seed) public {
        Order memory order = orderOf(alice);
        bytes memory signature = signOrder(order);
        uint256 field = seed % 6;
        if (field == 0) order.providerId = 0;
        if (field == 1) order.maxRatePerHour += uint64(seed >> 8) % 1e6 + 1;
        if (field == 2) order.maxLock += uint64(seed >> 8) % 1e6 + 1;
        if (field == 3) order.deadline += uint40(seed >> 8) % 1e6 + 1;
        if (field == 4) order.nonce ^= (seed >> 8) | 1 << 40;
        if (field == 5) order.orderRef = keccak256(abi.encode(seed));
        refusesSignature(order, signature);
    }

    function test_signatures_of_others_chains_contracts_and_high_s_are_refused() public {
        Order memory order = orderOf(alice);
        refusesSignature(order, signed(0xB0B, digestOf(order, domain(block.chainid, address(market)))));
        refusesSignature(order, signed(KEY, digestOf(order, domain(block.chainid + 1, address(market)))));
        refusesSignature(order, signed(KEY, digestOf(order, domain(block.chainid, address(registry)))));
        bytes32 digest = digestOf(order, domain(block.chainid, address(market)));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, digest);
        bytes memory mirrored = abi.encodePacked(r, bytes32(N - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        refusesSignature(order, mirrored);
        refusesSignature(order, abi.encodePacked(r, s));
        refusesSignature(order, "");
        refusesSignature(orderOf(address(0)), abi.encodePacked(r, s, uint8(99)));
        // The same content signed well is taken: it was each of these that was not.
        openWith(LEASE, RATE, 3600, order, abi.encodePacked(r, s, v));
    }

    function test_the_domain_follows_a_fork_of_the_chain() public {
        Order memory order = orderOf(alice);
        bytes memory signature = signOrder(order);
        vm.chainId(block.chainid + 1);
        refusesSignature(order, signature);
        openWith(LEASE, RATE, 3600, order, signOrder(order));
    }

    function test_a_cancelled_nonce_voids_orders_and_limits() public {
        Order memory order = orderOf(alice);
        bytes memory signature = signOrder(order);
        vm.prank(STRANGER);
        market.cancelNonce(7);
        vm.assertFalse(market.isNonceUsed(alice, 7));
        vm.prank(PAUSER);
        market.pause();
        vm.prank(alice);
        market.cancelNonce(7);
        vm.prank(PAUSER);
        market.unpause();
        bytes memory used = abi.encodeWithSelector(SignedConsent.NonceUsed.selector, alice, 7);
        vm.expectRevert(used);
        openWith(LEASE, RATE, 60, order, signature);
        bytes memory limit = signed(KEY, limitDigest(alice, RATE, 5, 7, block.timestamp));
        vm.expectRevert(used);
        market.setSpendingLimitWithSignature(alice, RATE, 5, FOREVER, 7, block.timestamp, limit);
        vm.expectRevert(used);
        vm.prank(alice);
        market.cancelNonce(7);
        vm.expectRevert(used);
        vm.prank(alice);
        market.createOrder(order);
    }

    /// @dev Nonces are used up one by one, wherever they stand.
    function testFuzz_nonces_are_independent(uint256 one, uint256 other) public {
        if (one == other) other = ~one;
        vm.prank(alice);
        market.cancelNonce(one);
        vm.assertTrue(market.isNonceUsed(alice, one));
        vm.assertFalse(market.isNonceUsed(alice, other));
        vm.assertFalse(market.isNonceUsed(STRANGER, one));
        vm.prank(alice);
        market.cancelNonce(other);
        vm.assertTrue(market.isNonceUsed(alice, other));
    }

    /// @dev 256 of them share a word.
    function test_a_used_nonce_stays_used_when_its_neighbours_are() public {
        vm.startPrank(alice);
        for (uint256 nonce = 254; nonce < 259; nonce++) market.cancelNonce(nonce);
        vm.stopPrank();
        for (uint256 nonce = 253; nonce < 260; nonce++) {
            vm.assertEq(market.isNonceUsed(alice, nonce) ? 1 : 0, nonce >= 254 && nonce < 259 ? 1 : 0);
        }
    }

    function test_an_order_can_be_put_on_chain_in_place_of_a_signature() public {
        Order memory order = orderOf(alice);
        vm.expectRevert(abi.encodeWithSelector(SignedConsent.NotTenant.selector, STRANGER));
        vm.prank(STRANGER);
        market.createOrder(order);
        vm.prank(alice);
        market.createOrder(order);
        Order memory other = orderOf(alice);
        other.maxLock += 1;
        refusesSignature(other, "");
        // A signature that is given has to hold, even where none is needed.
        refusesSignature(order, abi.encodePacked(bytes32(uint256(1)), bytes32(uint256(1)), uint8(27)));
        openWith(LEASE, RATE, 3600, order, "");
        vm.expectRevert(abi.encodeWithSelector(SignedConsent.NonceUsed.selector, alice, 7));
        openWith(keyOf(1, 2), RATE, 3600, order, "");
    }

    /// @dev Under orders there is no limit on the sum of rates but that of its 64 bits.
    function test_rates_of_open_leases_never_wrap() public {
        fund(alice, 1e16);
        for (uint64 nonce = 1; nonce <= 2; nonce++) {
            Order memory order =
                Order(alice, 0, type(uint64).max, type(uint64).max, FOREVER, nonce, keccak256("ref"));
            bytes memory signature = signOrder(order);
            if (nonce == 2) vm.expectRevert(abi.encodeWithSelector(ProtocolContract.AmountTooLarge.selector));
            openWith(keyOf(1, nonce), nonce == 1 ? type(uint64).max : 1, 1, order, signature);
        }
        vm.assertEq(market.tenantOf(alice).ratePerHour, type(uint64).max);
    }

    // --- Wallets that are contracts ---

    function test_a_contract_wallet_signs_by_its_own_rule() public {
        Wallet wallet = new Wallet(alice, address(market));
        fund(address(wallet), 1e9);
        Order memory order = orderOf(address(wallet));
        bytes memory signature = signOrder(order);
        refusesSignature(order, signed(0xB0B, digestOf(order, domain(block.chainid, address(market)))));
        openWith(LEASE, RATE, 3600, order, signature);
        (address tenant,,,,,) = market.leaseOf(LEASE);
        vm.assertEq(tenant, address(wallet));
    }

    function test_hostile_wallets_harm_nobody() public {
        Wallet wallet = new Wallet(alice, address(market));
        fund(address(wallet), 1e9);
        Order memory order = orderOf(address(wallet));
        bytes memory signature = signOrder(order);
        Wallet.Manner[6] memory manners = [
            Wallet.Manner.Refuse,
            Wallet.Manner.Revert,
            Wallet.Manner.WrongAnswer,
            Wallet.Manner.HugeAnswer,
            Wallet.Manner.ShortAnswer,
            Wallet.Manner.BurnGas
        ];
        for (uint256 i = 0; i < manners.length; i++) {
            wallet.behave(manners[i]);
            vm.expectRevert(abi.encodeWithSelector(SignedConsent.InvalidSignature.selector, address(wallet)));
            vm.prank(OPERATOR);
            market.openLeaseWithOrder{gas: 3_000_000}(LEASE, RATE, 3600, 0, order, signature);
        }
        // One that tries to change something while it is asked cannot.
        wallet.behave(Wallet.Manner.Reenter);
        openWith(LEASE, RATE, 3600, order, signature);
        vm.assertTrue(market.isNonceUsed(address(wallet), 7));
        vm.assertFalse(market.isNonceUsed(address(wallet), 1));
        // And whoever signs badly pays for itself alone.
        vm.assertEq(market.tenantOf(alice).free, 1e9);
    }

    // --- Spending limits ---

    function limitDigest(address tenant, uint64 rate, uint64 locked, uint256 nonce, uint256 deadline)
        private
        view
        returns (bytes32)
    {
        bytes32 content = keccak256(
            abi.encode(
                keccak256(
                    "SpendingLimit(address tenant,uint64 maxRatePerHour,uint64 maxLocked,uint40 validUntil,uint256 nonce,uint256 deadline)"
                ),
                tenant,
                rate,
                locked,
                FOREVER,
                nonce,
                deadline
            )
        );
        return keccak256(abi.encodePacked("\x19\x01", domain(block.chainid, address(market)), content));
    }

    function test_a_signed_limit_can_be_handed_in_by_anyone_once_and_in_time() public {
        uint256 deadline = block.timestamp + 60;
        bytes memory signature = signed(KEY, limitDigest(alice, RATE, 5_000_000, 3, deadline));
        vm.expectRevert(abi.encodeWithSelector(SignedConsent.InvalidSignature.selector, alice));
        market.setSpendingLimitWithSignature(alice, RATE + 1, 5_000_000, FOREVER, 3, deadline, signature);
        vm.prank(STRANGER);
        market.setSpendingLimitWithSignature(alice, RATE, 5_000_000, FOREVER, 3, deadline, signature);
        vm.assertEq(market.spendingLimitOf(alice).maxRatePerHour, RATE);
        vm.assertEq(market.spendingLimitOf(alice).maxLocked, 5_000_000);
        vm.assertEq(market.spendingLimitOf(alice).validUntil, FOREVER);
        open(alice, LEASE, RATE, 3600);
        // Withdrawn, it does not come back.
        vm.prank(alice);
        market.setSpendingLimit(0, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(SignedConsent.NonceUsed.selector, alice, 3));
        market.setSpendingLimitWithSignature(alice, RATE, 5_000_000, FOREVER, 3, deadline, signature);
        signature = signed(KEY, limitDigest(alice, RATE, 5_000_000, 4, deadline));
        vm.warp(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(SignedConsent.SignatureExpired.selector, deadline));
        market.setSpendingLimitWithSignature(alice, RATE, 5_000_000, FOREVER, 4, deadline, signature);
        vm.warp(deadline);
        market.setSpendingLimitWithSignature(alice, RATE, 5_000_000, FOREVER, 4, deadline, signature);
    }

    // --- EIP-3009 ---

    function authorize(uint64 amount, bytes32 nonce, uint256 before) private view returns (uint8, bytes32, bytes32) {
        bytes32 content = keccak256(
            abi.encode(
                token.RECEIVE_WITH_AUTHORIZATION_TYPEHASH(),
                alice,
                address(market),
                uint256(amount),
                uint256(0),
                before,
                nonce
            )
        );
        return vm.sign(KEY, keccak256(abi.encodePacked("\x19\x01", token.DOMAIN_SEPARATOR(), content)));
    }

    function test_a_deposit_by_authorization_credits_whoever_signed_it_once() public {
        token.mint(alice, 500);
        uint256 before = block.timestamp + 60;
        (uint8 v, bytes32 r, bytes32 s) = authorize(500, "n", before);
        vm.expectRevert(abi.encodeWithSelector(TestUSDC.InvalidAuthorization.selector));
        market.depositWithAuthorization(alice, 499, 0, before, "n", v, r, s);
        vm.prank(STRANGER);
        market.depositWithAuthorization(alice, 500, 0, before, "n", v, r, s);
        vm.assertEq(market.tenantOf(alice).free, 1e9 + 500);
        vm.assertEq(market.tenantOf(STRANGER).free, 0);
        vm.expectRevert(abi.encodeWithSelector(TestUSDC.AuthorizationUsed.selector));
        market.depositWithAuthorization(alice, 500, 0, before, "n", v, r, s);
        // Nobody can take it out of the market's hands.
        (v, r, s) = authorize(1, "m", before);
        vm.expectRevert(abi.encodeWithSelector(TestUSDC.CallerMustBePayee.selector));
        token.receiveWithAuthorization(alice, address(market), 1, 0, before, "m", v, r, s);
        vm.prank(PAUSER);
        market.pause();
        vm.expectRevert(abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        market.depositWithAuthorization(alice, 1, 0, before, "m", v, r, s);
    }
}

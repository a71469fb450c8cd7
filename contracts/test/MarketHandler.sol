// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Order} from "../src/SignedConsent.sol";
import {Base} from "./Base.sol";

/// @dev Does to a market whatever can be done to it, with three tenants and three providers, and keeps its own books of
/// what should be true. Nothing that it does may revert.
contract MarketHandler is Base {
    uint256 internal constant TENANTS = 3;
    uint32 internal constant PROVIDERS = 3;
    uint64 private constant MAX_LEASES = 24;

    uint96[] public keys;
    mapping(uint96 => uint64) public rateOf;
    mapping(uint96 => uint256) public openedAt;
    mapping(uint96 => uint256) public stoppedAt;
    mapping(uint96 => bytes32) public closedAs;
    mapping(uint96 => uint64) private _lastSettled;
    mapping(uint32 => uint128) private _lastClaimed;
    uint256 public deposited;
    uint256 public withdrawn;
    uint256 public claimed;
    uint256 public donated;
    uint256 private _nonce;
    bytes32[] private _accounts;

    constructor() {
        setUpMarket();
        registerProviders(PROVIDERS);
        for (uint256 i = 0; i < TENANTS; i++) consent(tenant(i));
        _accounts = accounts();
    }

    function keyOfTenant(uint256 index) private pure returns (uint256) {
        return 0x7000 + index % TENANTS;
    }

    function tenant(uint256 index) public pure returns (address) {
        return vm.addr(keyOfTenant(index));
    }

    function leases() public view returns (uint256) {
        return keys.length;
    }

    function isClosed(uint96 key) public view returns (bool) {
        return closedAs[key] != 0;
    }

    // --- Nobody's account changes by what others do -------------------------------------------------------------------

    uint256 private constant NOBODY = 0;

    function tenantBit(uint256 index) private pure returns (uint256) {
        return 1 << (index % TENANTS);
    }

    function providerBit(uint32 provider) private pure returns (uint256) {
        return 1 << (TENANTS + provider - 1);
    }

    /// @dev All that belongs to each tenant and each provider, one fingerprint an account.
    function accounts() private view returns (bytes32[] memory all) {
        all = new bytes32[](TENANTS + PROVIDERS);
        for (uint256 i = 0; i < TENANTS; i++) {
            address who = tenant(i);
            all[i] = keccak256(
                abi.encode(market.tenantOf(who), market.spendingLimitOf(who), token.balanceOf(who))
            );
        }
        for (uint32 id = 1; id <= PROVIDERS; id++) {
            all[TENANTS + id - 1] =
                keccak256(abi.encode(market.earningsOf(id), token.balanceOf(payoutOf(id))));
        }
    }

    /// @param mask the accounts that the action may change
    modifier changesOnly(uint256 mask) {
        _;
        checkAccounts(mask);
    }

    function checkAccounts(uint256 mask) private {
        bytes32[] memory after_ = accounts();
        for (uint256 i = 0; i < after_.length; i++) {
            if (mask & (1 << i) == 0) vm.assertTrue(after_[i] == _accounts[i], "another's account has changed");
        }
        _accounts = after_;
    }

    function tenantBitOf(uint96 key) private view returns (uint256) {
        (address owner,,,,,) = market.leaseOf(key);
        for (uint256 i = 0; i < TENANTS; i++) {
            if (tenant(i) == owner) return tenantBit(i);
        }
        return NOBODY;
    }

    function anyOpen(uint256 which) private view returns (bool found, uint96 key) {
        uint256 count = keys.length;
        for (uint256 i = 0; i < count; i++) {
            key = keys[(which % count + i) % count];
            if (!isClosed(key)) return (true, key);
        }
    }

    // --- Tenants ------------------------------------------------------------------------------------------------------

    function deposit(uint256 who, uint64 amount) external changesOnly(tenantBit(who)) {
        if (market.paused()) return;
        amount = amount % 1e12 + 1;
        fund(tenant(who), amount);
        deposited += amount;
    }

    function depositWithAuthorization(uint256 who, uint64 amount) external changesOnly(tenantBit(who)) {
        if (market.paused()) return;
        amount = amount % 1e12 + 1;
        address payer = tenant(who);
        token.mint(payer, amount);
        bytes32 nonce = bytes32(++_nonce);
        bytes32 content = keccak256(
            abi.encode(
                token.RECEIVE_WITH_AUTHORIZATION_TYPEHASH(), payer, address(market), amount, 0, FOREVER, nonce
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(
            keyOfTenant(who), keccak256(abi.encodePacked("\x19\x01", token.DOMAIN_SEPARATOR(), content))
        );
        market.depositWithAuthorization(payer, amount, 0, FOREVER, nonce, v, r, s);
        deposited += amount;
    }

    function withdraw(uint256 who, uint64 amount) external changesOnly(tenantBit(who)) {
        uint64 free = market.tenantOf(tenant(who)).free;
        if (free == 0) return;
        amount = amount % free + 1;
        vm.prank(tenant(who));
        market.withdraw(amount);
        withdrawn += amount;
    }

    function setLimit(uint256 who, uint64 rate, uint64 locked, bool open_) external changesOnly(tenantBit(who)) {
        vm.prank(tenant(who));
        if (open_) market.setSpendingLimit(type(uint64).max, type(uint64).max, FOREVER);
        else market.setSpendingLimit(rate, locked, uint40(block.timestamp));
    }

    function cancelNonce(uint256 who) external changesOnly(NOBODY) {
        uint256 nonce = ++_nonce;
        vm.prank(tenant(who));
        market.cancelNonce(nonce);
        vm.assertTrue(market.isNonceUsed(tenant(who), nonce));
    }

    // --- Leases -------------------------------------------------------------------------------------------------------

    function fits(uint256 who, uint32 provider, uint64 rate, uint32 duration) private view returns (bool) {
        (, bool suspended) = registry.standingOf(provider);
        uint256 lock = (uint256(rate) * duration + 3599) / 3600;
        return !market.paused() && !suspended && keys.length < MAX_LEASES
            && lock <= market.tenantOf(tenant(who)).free;
    }

    function noteOpened(uint96 key, uint64 rate) private {
        keys.push(key);
        rateOf[key] = rate;
        openedAt[key] = block.timestamp;
    }

    function openLease(uint256 who, uint32 provider, uint64 rate, uint32 duration)
        external
        changesOnly(tenantBit(who))
    {
        provider = provider % PROVIDERS + 1;
        rate = rate % 1e9 + 1;
        duration = duration % 100_000 + 1;
        uint256 lock = (uint256(rate) * duration + 3599) / 3600;
        address payer = tenant(who);
        if (!fits(who, provider, rate, duration)) return;
        if (block.timestamp > market.spendingLimitOf(payer).validUntil) return;
        if (market.tenantOf(payer).ratePerHour + uint256(rate) > market.spendingLimitOf(payer).maxRatePerHour) return;
        if (market.tenantOf(payer).locked + lock > market.spendingLimitOf(payer).maxLocked) return;
        uint96 key = keyOf(provider, uint64(keys.length));
        open(payer, key, rate, duration);
        noteOpened(key, rate);
    }

    function openWithOrder(uint256 who, uint32 provider, uint64 rate, uint32 duration, bool onChain)
        external
        changesOnly(tenantBit(who))
    {
        provider = provider % PROVIDERS + 1;
        rate = rate % 1e9 + 1;
        duration = duration % 100_000 + 1;
        if (!fits(who, provider, rate, duration)) return;
        Order memory order = Order(
            tenant(who), provider, rate, type(uint64).max, uint40(block.timestamp), ++_nonce, keccak256("ord")
        );
        bytes memory signature;
        if (onChain) {
            vm.prank(order.tenant);
            market.createOrder(order);
        } else {
            signature = signed(keyOfTenant(who), market.hashOrder(order));
        }
        uint96 key = keyOf(provider, uint64(keys.length));
        vm.prank(OPERATOR);
        market.openLeaseWithOrder(key, rate, duration, keccak256("lea"), order, signature);
        noteOpened(key, rate);
    }

    function extend(uint256 which, uint32 duration) external {
        (bool found, uint96 key) = anyOpen(which);
        if (!found || market.paused() || stoppedAt[key] != 0) return;
        duration = duration % 10_000 + 1;
        (address payer,,,,,) = market.leaseOf(key);
        if ((uint256(rateOf[key]) * duration + 3599) / 3600 > market.tenantOf(payer).free) return;
        vm.prank(payer);
        market.extendLease(key, duration);
        checkAccounts(tenantBitOf(key));
    }

    /// @dev Some rows within the bound, some beyond, some twice, some of leases that do not exist. Settling changes no
    /// tenant's account.
    function settleSome(uint256 seed) external {
        if (keys.length == 0 || market.paused()) return;
        bytes memory batch;
        uint256 mask;
        for (uint256 i = 0; i < 6; i++) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint96 key = seed % 16 == 0 ? keyOf(1, 1 << 40) : keys[seed % keys.length];
            uint64 most = market.settleableOf(key);
            uint64 cumulative = uint64((seed >> 100) % (uint256(most) + 3));
            batch = abi.encodePacked(batch, single(key, cumulative));
            mask |= providerBit(uint32(key >> 64));
        }
        settle(batch);
        checkAccounts(mask);
    }

    function close(uint256 which, uint64 amount) external {
        (bool found, uint96 key) = anyOpen(which);
        if (!found) return;
        uint64 least = settledOf(key);
        uint64 cumulative = least + amount % (market.settleableOf(key) - least + 1);
        vm.prank(OPERATOR);
        market.closeLease(key, cumulative);
        noteClosed(key);
    }

    function stop(uint256 which, bool byProvider) external {
        (bool found, uint96 key) = anyOpen(which);
        if (!found || stoppedAt[key] != 0) return;
        stopAs(key, byProvider);
        checkAccounts(tenantBitOf(key));
    }

    function stopAs(uint96 key, bool byProvider) internal {
        (address payer,,,,,) = market.leaseOf(key);
        vm.prank(byProvider ? ownerOf(uint32(key >> 64)) : payer);
        market.stopLease(key);
        stoppedAt[key] = block.timestamp;
    }

    function forceClose(uint256 which, bool byProvider) external {
        (bool found, uint96 key) = anyOpen(which);
        if (!found) return;
        (, uint40 closableAt) = market.exitOf(key);
        if (block.timestamp < closableAt) vm.warp(closableAt);
        (address payer,,,,,) = market.leaseOf(key);
        vm.prank(byProvider ? ownerOf(uint32(key >> 64)) : payer);
        market.forceClose(key);
        noteClosed(key);
    }

    function fingerprint(uint96 key) public view returns (bytes32) {
        (address payer, uint64 lock, uint64 settled, uint64 rate, uint40 start, bool isOpen) = market.leaseOf(key);
        return keccak256(abi.encode(payer, lock, settled, rate, start, isOpen));
    }

    function noteClosed(uint96 key) private {
        closedAs[key] = fingerprint(key);
        checkAccounts(tenantBitOf(key) | providerBit(uint32(key >> 64)));
    }

    function claim(uint32 provider) external {
        provider = provider % PROVIDERS + 1;
        if (market.earningsOf(provider).earned == market.earningsOf(provider).claimed) return;
        vm.prank(payoutOf(provider));
        claimed += market.claim(provider);
        checkAccounts(providerBit(provider));
    }

    // --- The world ----------------------------------------------------------------------------------------------------

    function donate(uint64 amount) external changesOnly(NOBODY) {
        token.mint(address(market), amount % 1e9);
        donated += amount % 1e9;
    }

    function wait(uint32 time) external changesOnly(NOBODY) {
        vm.warp(block.timestamp + time % 1 days);
    }

    function pauseOrNot() external changesOnly(NOBODY) {
        bool paused = market.paused();
        vm.prank(PAUSER);
        if (paused) market.unpause();
        else market.pause();
    }

    function suspendOrNot(uint32 provider, bool suspended) external changesOnly(NOBODY) {
        vm.prank(SUSPENDER);
        registry.setSuspended(provider % PROVIDERS + 1, suspended, 0);
    }

    // --- What must hold -----------------------------------------------------------------------------------------------

    function checkBalance() external view {
        (uint256 free, uint256 locked) = tenantSums();
        uint256 settledOpen;
        uint256 openLocks;
        for (uint256 i = 0; i < keys.length; i++) {
            (, uint64 lock, uint64 settled,,, bool isOpen) = market.leaseOf(keys[i]);
            if (!isOpen) continue;
            openLocks += lock;
            settledOpen += settled;
        }
        vm.assertEq(locked, openLocks, "locks of tenants and leases differ");
        uint256 unclaimed;
        for (uint32 id = 1; id <= PROVIDERS; id++) {
            unclaimed += market.earningsOf(id).earned - market.earningsOf(id).claimed;
        }
        // What an open lease has settled is the provider's already: it is in both sums.
        uint256 owed = free + locked - settledOpen + unclaimed;
        vm.assertEq(owed, deposited - withdrawn - claimed, "books differ");
        vm.assertEq(token.balanceOf(address(market)), owed + donated, "tokens are missing");
    }

    function tenantSums() private view returns (uint256 free, uint256 locked) {
        for (uint256 i = 0; i < TENANTS; i++) {
            free += market.tenantOf(tenant(i)).free;
            locked += market.tenantOf(tenant(i)).locked;
        }
    }

    function checkSettled() external {
        uint256[PROVIDERS + 1] memory settledOf_;
        for (uint256 i = 0; i < keys.length; i++) {
            uint96 key = keys[i];
            (, uint64 lock, uint64 settled,,,) = market.leaseOf(key);
            uint256 until = block.timestamp;
            if (stoppedAt[key] != 0 && stoppedAt[key] + 1 hours < until) until = stoppedAt[key] + 1 hours;
            vm.assertLe(settled, lock, "more than the lock");
            vm.assertLe(settled, uint256(rateOf[key]) * (until - openedAt[key]) / 3600, "more than time");
            vm.assertGe(settled, _lastSettled[key], "settled has shrunk");
            _lastSettled[key] = settled;
            settledOf_[key >> 64] += settled;
        }
        for (uint32 id = 1; id <= PROVIDERS; id++) {
            vm.assertEq(market.earningsOf(id).earned, settledOf_[id], "earned differs from settled");
        }
    }

    function checkClaimed() external {
        uint256 sum;
        for (uint32 id = 1; id <= PROVIDERS; id++) {
            uint128 now_ = market.earningsOf(id).claimed;
            vm.assertGe(now_, _lastClaimed[id], "claimed has shrunk");
            vm.assertLe(now_, market.earningsOf(id).earned, "more claimed than earned");
            vm.assertEq(now_, token.balanceOf(payoutOf(id)), "claimed and not paid");
            _lastClaimed[id] = now_;
            sum += now_;
        }
        vm.assertEq(sum, claimed);
    }

    function checkClosed() external view {
        for (uint256 i = 0; i < keys.length; i++) {
            if (isClosed(keys[i])) {
                vm.assertTrue(fingerprint(keys[i]) == closedAs[keys[i]], "a closed lease has changed");
            }
        }
    }

    /// @dev The market is paused, the operator is gone: everybody leaves, and nothing but donations stays.
    function everybodyLeaves() external {
        vm.startPrank(PAUSER);
        if (!market.paused()) market.pause();
        vm.stopPrank();
        for (uint256 i = 0; i < keys.length; i++) {
            if (!isClosed(keys[i]) && stoppedAt[keys[i]] == 0) stopAs(keys[i], i % 2 == 0);
        }
        vm.warp(block.timestamp + 1 hours + FORCE_CLOSE_AFTER);
        for (uint256 i = 0; i < keys.length; i++) {
            if (isClosed(keys[i])) continue;
            (address payer,,,,,) = market.leaseOf(keys[i]);
            vm.prank(i % 2 == 0 ? payer : ownerOf(uint32(keys[i] >> 64)));
            market.forceClose(keys[i]);
        }
        for (uint256 i = 0; i < TENANTS; i++) {
            uint64 free = market.tenantOf(tenant(i)).free;
            vm.assertEq(market.tenantOf(tenant(i)).locked, 0);
            vm.assertEq(market.tenantOf(tenant(i)).ratePerHour, 0);
            if (free == 0) continue;
            vm.prank(tenant(i));
            market.withdraw(free);
        }
        for (uint32 id = 1; id <= PROVIDERS; id++) {
            if (market.earningsOf(id).earned == market.earningsOf(id).claimed) continue;
            vm.prank(payoutOf(id));
            market.claim(id);
        }
        vm.assertEq(token.balanceOf(address(market)), donated, "somebody has left money behind");
    }
}

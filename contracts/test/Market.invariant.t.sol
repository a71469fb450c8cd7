// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "./Base.sol";

/// @dev Drives a market with three tenants and three providers, and keeps its own books of what should be true.
contract MarketHandler is Base {
    uint256 private constant TENANTS = 3;
    uint32 private constant PROVIDERS = 3;

    uint96[] public keys;
    mapping(uint96 => uint64) public rateOf;
    mapping(uint96 => uint256) public openedAt;
    mapping(uint96 => uint64) public lastSettled;
    mapping(uint96 => bool) public wasClosed;
    mapping(uint96 => bool) private _used;
    uint256 public deposited;
    uint256 public withdrawn;
    uint256 public claimed;
    uint256 public donated;

    constructor() {
        setUpMarket();
        registerProviders(PROVIDERS);
        for (uint256 i = 0; i < TENANTS; i++) consent(tenant(i));
    }

    function tenant(uint256 index) public pure returns (address) {
        return address(uint160(0x7000 + index % TENANTS));
    }

    function leases() external view returns (uint256) {
        return keys.length;
    }

    function balance() external view returns (uint256) {
        return token.balanceOf(address(market));
    }

    function tenantBooks(uint256 index) external view returns (uint256 free, uint256 locked) {
        return (market.tenantOf(tenant(index)).free, market.tenantOf(tenant(index)).locked);
    }

    function earnings(uint32 provider) external view returns (uint256 earned, uint256 claimedByIt) {
        return (market.earningsOf(provider).earned, market.earningsOf(provider).claimed);
    }

    function lease(uint96 key) external view returns (uint256 lock, uint256 settled, bool isOpen) {
        (, lock, settled,,, isOpen) = market.leaseOf(key);
    }

    // --- What can happen ---

    function deposit(uint256 who, uint64 amount) external {
        amount = amount % 1e12 + 1;
        fund(tenant(who), amount);
        deposited += amount;
    }

    function withdraw(uint256 who, uint64 amount) external {
        uint64 free = market.tenantOf(tenant(who)).free;
        if (free == 0) return;
        amount = amount % free + 1;
        vm.prank(tenant(who));
        market.withdraw(amount);
        withdrawn += amount;
    }

    function donate(uint64 amount) external {
        token.mint(address(market), amount % 1e9);
        donated += amount % 1e9;
    }

    function openLease(uint256 who, uint32 provider, uint64 serial, uint64 rate, uint32 duration) external {
        uint96 key = keyOf(provider % PROVIDERS + 1, serial % 64);
        rate = rate % 1e9 + 1;
        duration = duration % 100_000 + 1;
        uint256 lock = (uint256(rate) * duration + 3599) / 3600;
        if (_used[key] || lock > market.tenantOf(tenant(who)).free) return;
        open(tenant(who), key, rate, duration);
        _used[key] = true;
        keys.push(key);
        rateOf[key] = rate;
        openedAt[key] = block.timestamp;
    }

    function wait(uint32 time) external {
        vm.warp(block.timestamp + time % 1 days);
    }

    /// @dev Some rows within the bound, some beyond, some twice, some of leases that do not exist.
    function settleSome(uint256 seed) external {
        if (keys.length == 0) return;
        bytes memory batch;
        for (uint256 i = 0; i < 6; i++) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint96 key = seed % 16 == 0 ? keyOf(1, 1 << 40) : keys[seed % keys.length];
            uint64 most = market.settleableOf(key);
            uint64 cumulative = uint64((seed >> 100) % (uint256(most) + 3));
            batch = abi.encodePacked(batch, single(key, cumulative));
        }
        settle(batch);
        note();
    }

    function close(uint256 which, uint64 amount) external {
        if (keys.length == 0) return;
        uint96 key = keys[which % keys.length];
        if (wasClosed[key]) return;
        uint64 least = settledOf(key);
        uint64 cumulative = least + amount % (market.settleableOf(key) - least + 1);
        vm.prank(OPERATOR);
        market.closeLease(key, cumulative);
        wasClosed[key] = true;
        note();
    }

    function forceClose(uint256 which, bool byProvider) external {
        if (keys.length == 0) return;
        uint96 key = keys[which % keys.length];
        if (wasClosed[key]) return;
        vm.warp(block.timestamp + FORCE_CLOSE_AFTER + 1 minutes);
        (address itsTenant,,,,,) = market.leaseOf(key);
        vm.prank(byProvider ? ownerOf(uint32(key >> 64)) : itsTenant);
        market.forceClose(key);
        wasClosed[key] = true;
    }

    function claim(uint32 provider) external {
        provider = provider % PROVIDERS + 1;
        if (market.earningsOf(provider).earned == market.earningsOf(provider).claimed) return;
        vm.prank(payoutOf(provider));
        claimed += market.claim(provider);
    }

    /// @dev Settled amounts only grow, and those of closed leases stay.
    function note() private {
        for (uint256 i = 0; i < keys.length; i++) {
            uint96 key = keys[i];
            uint64 settled = settledOf(key);
            vm.assertGe(settled, lastSettled[key], "settled shrank");
            lastSettled[key] = settled;
        }
    }
}

contract MarketInvariantTest {
    MarketHandler private handler;

    function setUp() public {
        handler = new MarketHandler();
    }

    /// @dev Foundry calls only these, and nothing of the market itself.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    struct Selectors {
        address addr;
        bytes4[] selectors;
    }

    function targetSelectors() external view returns (Selectors[] memory targets) {
        bytes4[] memory selectors = new bytes4[](9);
        selectors[0] = MarketHandler.deposit.selector;
        selectors[1] = MarketHandler.withdraw.selector;
        selectors[2] = MarketHandler.donate.selector;
        selectors[3] = MarketHandler.openLease.selector;
        selectors[4] = MarketHandler.wait.selector;
        selectors[5] = MarketHandler.settleSome.selector;
        selectors[6] = MarketHandler.close.selector;
        selectors[7] = MarketHandler.forceClose.selector;
        selectors[8] = MarketHandler.claim.selector;
        targets = new Selectors[](1);
        targets[0] = Selectors(address(handler), selectors);
    }

    /// @dev Every token that came in is free, locked, earned or gone to whom it belongs; donations belong to nobody.
    function invariant_money_is_conserved() external view {
        uint256 held;
        for (uint256 i = 0; i < 3; i++) {
            (uint256 free,) = handler.tenantBooks(i);
            held += free;
        }
        uint256 openLocks;
        for (uint256 i = 0; i < handler.leases(); i++) {
            (uint256 lock, uint256 settled, bool isOpen) = handler.lease(handler.keys(i));
            if (!isOpen) continue;
            held += lock - settled;
            openLocks += lock;
        }
        uint256 locked;
        for (uint256 i = 0; i < 3; i++) {
            (, uint256 lockedOfOne) = handler.tenantBooks(i);
            locked += lockedOfOne;
        }
        for (uint32 provider = 1; provider <= 3; provider++) {
            (uint256 earned, uint256 claimed) = handler.earnings(provider);
            held += earned - claimed;
        }
        require(locked == openLocks, "locks of tenants and leases differ");
        require(held == handler.deposited() - handler.withdrawn() - handler.claimed(), "books differ");
        require(handler.balance() == held + handler.donated(), "tokens are missing");
    }

    /// @dev A provider has earned exactly what its leases settled, and each of these is within lock and time.
    function invariant_settled_is_within_lock_and_time() external view {
        uint256[4] memory settledOfProvider;
        for (uint256 i = 0; i < handler.leases(); i++) {
            uint96 key = handler.keys(i);
            (uint256 lock, uint256 settled, bool isOpen) = handler.lease(key);
            uint256 earned = uint256(handler.rateOf(key)) * (block.timestamp - handler.openedAt(key)) / 3600;
            require(settled <= lock && settled <= earned, "more than lock or time");
            require(isOpen == !handler.wasClosed(key), "a closed lease is open");
            settledOfProvider[key >> 64] += settled;
        }
        for (uint32 provider = 1; provider <= 3; provider++) {
            (uint256 earned, uint256 claimed) = handler.earnings(provider);
            require(earned == settledOfProvider[provider], "earned differs from settled");
            require(claimed <= earned, "more claimed than earned");
        }
    }
}

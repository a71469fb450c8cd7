// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ComputeMarket} from "../src/ComputeMarket.sol";
import {Base, Vm} from "./Base.sol";

contract ComputeMarketTest is Base {
    uint64 private constant DEPOSIT = 1_000_000_000;
    uint96 private immutable KEY = keyOf(1, 7);

    function setUp() public {
        setUpMarket();
        registerProviders(3);
        fund(TENANT, DEPOSIT);
        consent(TENANT);
    }

    // --- Tenants ---

    function test_deposit_is_free_and_can_leave_at_any_time() public {
        vm.assertEq(market.tenantOf(TENANT).free, DEPOSIT);
        vm.prank(TENANT);
        market.withdraw(DEPOSIT);
        vm.assertEq(token.balanceOf(TENANT), DEPOSIT);
        vm.expectRevert(abi.encodeWithSelector(ComputeMarket.InsufficientFree.selector, TENANT, 0, 1));
        vm.prank(TENANT);
        market.withdraw(1);
    }

    function test_deposit_with_permit_also_when_the_permit_was_used_before() public {
        uint256 key = 0xA11CE;
        address alice = vm.addr(key);
        token.mint(alice, 100);
        uint256 deadline = block.timestamp + 60;
        bytes32 typehash =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 structHash =
            keccak256(abi.encode(typehash, alice, address(market), uint256(100), uint256(0), deadline));
        bytes32 digest = keccak256(abi.encodePacked("\x19\x01", token.DOMAIN_SEPARATOR(), structHash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        token.permit(alice, address(market), 100, deadline, v, r, s); // somebody was faster
        vm.prank(alice);
        market.depositWithPermit(100, deadline, v, r, s);
        vm.assertEq(market.tenantOf(alice).free, 100);
    }
}

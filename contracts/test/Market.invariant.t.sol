// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Campaign} from "./Campaign.sol";
import {MarketHandler} from "./MarketHandler.sol";

/// @dev The market's invariants of the design, one test each. `batch = sequence of singles` and `any permutation or
/// duplicate ends the same` are fuzz tests in ComputeMarket.t.sol; that nobody's actions change another's account is
/// checked by the handler at every action, and so in every one of these.
contract MarketInvariantTest is Campaign {
    MarketHandler private handler;

    function setUp() public {
        handler = new MarketHandler();
        target(address(handler));
        add(MarketHandler.deposit.selector);
        add(MarketHandler.depositWithAuthorization.selector);
        add(MarketHandler.withdraw.selector);
        add(MarketHandler.setLimit.selector);
        add(MarketHandler.cancelNonce.selector);
        add(MarketHandler.openLease.selector);
        add(MarketHandler.openWithOrder.selector);
        add(MarketHandler.extend.selector);
        add(MarketHandler.settleSome.selector);
        add(MarketHandler.close.selector);
        add(MarketHandler.stop.selector);
        add(MarketHandler.forceClose.selector);
        add(MarketHandler.claim.selector);
        add(MarketHandler.donate.selector);
        add(MarketHandler.wait.selector);
        add(MarketHandler.pauseOrNot.selector);
        add(MarketHandler.suspendOrNot.selector);
    }

    /// @dev Whatever has happened, everybody can leave with all that is theirs, paused and without an operator.
    function afterInvariant() external {
        handler.everybodyLeaves();
    }

    function invariant_the_balance_is_free_plus_locked_plus_earned_plus_donations() external view {
        handler.checkBalance();
    }

    function invariant_settled_is_within_lock_and_time_and_never_shrinks() external {
        handler.checkSettled();
    }

    function invariant_claimed_only_grows_and_is_within_earned() external {
        handler.checkClaimed();
    }

    function invariant_closed_leases_never_change() external view {
        handler.checkClosed();
    }

    /// @dev The handler compares every account before and after every action.
    function invariant_nobody_changes_anothers_account() external {}

    /// @dev See afterInvariant.
    function invariant_paused_everybody_can_leave() external {}
}

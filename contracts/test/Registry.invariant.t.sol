// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Campaign} from "./Campaign.sol";
import {RegistryHandler} from "./RegistryHandler.sol";

contract RegistryInvariantTest is Campaign {
    RegistryHandler private handler;

    function setUp() public {
        handler = new RegistryHandler();
        target(address(handler));
        add(RegistryHandler.stake.selector);
        add(RegistryHandler.requestUnstake.selector);
        add(RegistryHandler.withdrawUnstaked.selector);
        add(RegistryHandler.propose.selector);
        add(RegistryHandler.execute.selector);
        add(RegistryHandler.cancel.selector);
        add(RegistryHandler.withdrawCredit.selector);
        add(RegistryHandler.donate.selector);
        add(RegistryHandler.wait.selector);
        add(RegistryHandler.pauseOrNot.selector);
    }

    /// @dev Whatever has happened, every stake can leave, paused and against an endless proposer.
    function afterInvariant() external {
        handler.everybodyLeaves();
    }

    /// @dev Slashes take from stakes and give to credits; the handler checks each against stake, proposal and cap.
    function invariant_the_balance_is_stakes_plus_credits_and_a_slash_is_within_stake_and_cap() external view {
        handler.checkBalance();
    }

    /// @dev The handler checks the time of every withdrawal.
    function invariant_nothing_unstaked_leaves_before_its_delay_or_twice() external view {
        handler.checkLeavers();
    }

    function invariant_what_is_held_is_what_is_pending() external view {
        handler.checkPending();
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Campaign} from "./Campaign.sol";
import {RewardsHandler} from "./RewardsHandler.sol";

contract RewardsInvariantTest is Campaign {
    RewardsHandler private handler;

    function setUp() public {
        handler = new RewardsHandler();
        target(address(handler));
        add(RewardsHandler.fund.selector);
        add(RewardsHandler.post.selector);
        add(RewardsHandler.dispute.selector);
        add(RewardsHandler.claim.selector);
        add(RewardsHandler.rollOver.selector);
        add(RewardsHandler.donate.selector);
        add(RewardsHandler.wait.selector);
        add(RewardsHandler.pauseOrNot.selector);
    }

    function invariant_the_balance_is_what_was_funded_and_not_paid() external view {
        handler.checkBalance();
    }

    function invariant_no_era_pays_more_than_it_was_funded_with() external view {
        handler.checkEras();
    }

    function invariant_rewards_claimed_only_grow() external {
        handler.checkClaimed();
    }
}

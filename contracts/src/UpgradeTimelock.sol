// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title The only account that may upgrade the contracts.
/// @notice An upgrade is scheduled in public, waits out the delay (seconds), and may then be carried out by anyone.
/// Every contract refuses a timelock whose delay is shorter than its own longest exit: whoever dislikes an upgrade
/// has left before it comes.
contract UpgradeTimelock is TimelockController {
    /// @param minDelay seconds between scheduling and execution
    /// @param proposers who may schedule, and cancel
    /// @param executors who may carry out what has waited; the zero address stands for everyone
    /// @param cancellers who may cancel and do nothing else: they hold back what a stolen proposer's key schedules
    constructor(
        uint256 minDelay,
        address[] memory proposers,
        address[] memory executors,
        address[] memory cancellers
    ) TimelockController(minDelay, proposers, executors, address(0)) {
        for (uint256 i = 0; i < cancellers.length; ++i) {
            _grantRole(CANCELLER_ROLE, cancellers[i]);
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

/// @title What a contract asks its timelock.
interface ITimelock {
    /// @notice Seconds between the scheduling of an operation and its execution.
    function getMinDelay() external view returns (uint256);
}

/// @title What the three contracts have in common: roles, pause, upgrades behind a timelock, one token.
/// @notice The token is fixed in the code: the list of tokens that are let in has one entry, and another would be an
/// upgrade. Tokens that take fees, rebase or call back are kept out that way; whatever moves another amount than was
/// asked for is refused besides.
/// @dev State lives in the proxy. Bases that have any come first and never change their order; a contract appends its
/// own. contracts/storage-layout.json is the layout that every upgrade must keep.
abstract contract ProtocolContract is
    Initializable,
    UUPSUpgradeable,
    AccessControl,
    Pausable,
    ReentrancyGuardTransient
{
    using SafeERC20 for IERC20;

    /// @notice May stop what comes in. Exits have no pause.
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    /// @notice Amounts stay below 2^63 micros, so that a sum of two never wraps 64 bits.
    uint64 public constant MAX_AMOUNT = type(uint64).max >> 1;

    /// @notice The token of all amounts.
    IERC20 public immutable token;
    /// @notice The timelock: the only account that may upgrade. No role can stand in for it.
    address public immutable upgrader;

    error ZeroAddress();
    error ZeroAmount();
    error AmountTooLarge();
    /// @notice The token moved another amount than asked: it takes fees or rebases, and is not for this contract.
    error UnexpectedTokenAmount();
    error NotUpgrader(address caller);
    /// @notice The timelock is faster than an exit, in seconds.
    error TimelockTooShort(uint256 delay, uint256 longestExit);

    /// @param longestExit seconds that the slowest way out of the contract takes
    constructor(IERC20 token_, address upgrader_, uint256 longestExit) {
        if (address(token_) == address(0) || upgrader_ == address(0)) revert ZeroAddress();
        uint256 delay = ITimelock(upgrader_).getMinDelay();
        if (delay < longestExit) revert TimelockTooShort(delay, longestExit);
        token = token_;
        upgrader = upgrader_;
        _disableInitializers();
    }

    /// @notice Stops what comes in; what goes out goes on.
    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    /// @notice Ends a pause.
    function unpause() external onlyRole(PAUSER_ROLE) {
        _unpause();
    }

    /// @param admin grants and revokes every role
    function _initializeRoles(address admin) internal onlyInitializing {
        if (admin == address(0)) revert ZeroAddress();
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    /// @dev Takes tokens that `from` has allowed, and makes sure that they have come.
    function _pull(address from, uint256 amount) internal {
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(from, address(this), amount);
        _checkReceived(before, amount);
    }

    function _checkReceived(uint256 before, uint256 amount) internal view {
        if (token.balanceOf(address(this)) != before + amount) revert UnexpectedTokenAmount();
    }

    function _authorizeUpgrade(address) internal view override {
        if (msg.sender != upgrader) revert NotUpgrader(msg.sender);
    }
}

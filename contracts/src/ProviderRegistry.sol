// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IProviderRegistry} from "./IProviderRegistry.sol";

/// @title Providers, where they are paid, and what they have at stake.
/// @notice Amounts are micro-USDC, times are seconds. Unstaked amounts thaw before they can leave, and still count as
/// the provider's own until then. A pause stops registrations and new stake; it never stops anyone from leaving.
contract ProviderRegistry is IProviderRegistry, AccessControl, Pausable, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @dev Three slots: owner and stake; payout, thawing amount and its time; metadata hash.
    struct Provider {
        address owner;
        uint64 stake;
        address payout;
        uint64 thawing;
        uint32 thawedAt;
        bytes32 metadataHash;
    }

    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    /// @notice Amounts stay below 2^63 micros, so that a sum of two never wraps 64 bits.
    uint64 public constant MAX_AMOUNT = type(uint64).max >> 1;

    IERC20 public immutable token;
    /// @notice How long unstaked amounts stay, in seconds.
    uint32 public immutable thawSeconds;

    /// @notice The last id given out; ids start at 1.
    uint32 public lastProviderId;
    mapping(uint32 providerId => Provider) private _providers;
    /// @notice The provider that an account owns; 0 for none.
    mapping(address owner => uint32 providerId) public providerIdOf;

    event ProviderRegistered(
        uint32 indexed providerId, address indexed owner, address payout, bytes32 metadataHash
    );
    event PayoutChanged(uint32 indexed providerId, address payout);
    event MetadataChanged(uint32 indexed providerId, bytes32 metadataHash);
    /// @param stake what the provider has at stake now, without what thaws
    event StakeChanged(uint32 indexed providerId, address indexed owner, uint64 stake);
    event UnstakeRequested(uint32 indexed providerId, uint64 thawing, uint32 thawedAt);
    event UnstakedWithdrawn(uint32 indexed providerId, address indexed owner, uint64 amount);

    error AlreadyRegistered(address owner, uint32 providerId);
    error NotRegistered(address owner);
    error ZeroAddress();
    error ZeroAmount();
    error AmountTooLarge();
    error InsufficientStake(uint64 stake, uint64 asked);
    error StillThawing(uint32 thawedAt);
    /// @notice The token moved another amount than asked: it takes fees or rebases, and is not for this contract.
    error UnexpectedTokenAmount();

    /// @param admin grants and revokes every other role
    constructor(IERC20 token_, address admin, uint32 thawSeconds_) {
        if (address(token_) == address(0) || admin == address(0)) revert ZeroAddress();
        token = token_;
        thawSeconds = thawSeconds_;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    /// @notice Registers the caller; each account owns at most one provider, for ever.
    /// @param metadataHash keccak256 of the provider's description, kept off chain
    function register(address payout, bytes32 metadataHash) external whenNotPaused returns (uint32 providerId) {
        if (payout == address(0)) revert ZeroAddress();
        uint32 known = providerIdOf[msg.sender];
        if (known != 0) revert AlreadyRegistered(msg.sender, known);
        providerId = ++lastProviderId;
        providerIdOf[msg.sender] = providerId;
        Provider storage provider = _providers[providerId];
        provider.owner = msg.sender;
        provider.payout = payout;
        provider.metadataHash = metadataHash;
        emit ProviderRegistered(providerId, msg.sender, payout, metadataHash);
    }

    function setPayout(address payout) external {
        if (payout == address(0)) revert ZeroAddress();
        uint32 providerId = _callersProvider();
        _providers[providerId].payout = payout;
        emit PayoutChanged(providerId, payout);
    }

    function setMetadata(bytes32 metadataHash) external {
        uint32 providerId = _callersProvider();
        _providers[providerId].metadataHash = metadataHash;
        emit MetadataChanged(providerId, metadataHash);
    }

    /// @notice Adds to the caller's stake; needs an allowance.
    function stake(uint64 amount) external nonReentrant whenNotPaused {
        if (amount == 0) revert ZeroAmount();
        uint32 providerId = _callersProvider();
        Provider storage provider = _providers[providerId];
        uint256 total = uint256(provider.stake) + provider.thawing + amount;
        if (total > MAX_AMOUNT) revert AmountTooLarge();
        uint64 staked = provider.stake + amount;
        provider.stake = staked;
        emit StakeChanged(providerId, msg.sender, staked);
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        if (token.balanceOf(address(this)) - before != amount) revert UnexpectedTokenAmount();
    }

    /// @notice Takes an amount out of the stake and starts its thaw. A further request starts the thaw of all that
    /// thaws anew.
    function requestUnstake(uint64 amount) external {
        if (amount == 0) revert ZeroAmount();
        uint32 providerId = _callersProvider();
        Provider storage provider = _providers[providerId];
        uint64 staked = provider.stake;
        if (amount > staked) revert InsufficientStake(staked, amount);
        uint64 thawing = provider.thawing + amount;
        uint32 thawedAt = uint32(block.timestamp) + thawSeconds;
        provider.stake = staked - amount;
        provider.thawing = thawing;
        provider.thawedAt = thawedAt;
        emit StakeChanged(providerId, msg.sender, staked - amount);
        emit UnstakeRequested(providerId, thawing, thawedAt);
    }

    /// @notice Pays out what has thawed, to the owner.
    function withdrawUnstaked() external nonReentrant {
        uint32 providerId = _callersProvider();
        Provider storage provider = _providers[providerId];
        uint64 amount = provider.thawing;
        if (amount == 0) revert ZeroAmount();
        uint32 thawedAt = provider.thawedAt;
        if (block.timestamp < thawedAt) revert StillThawing(thawedAt);
        provider.thawing = 0;
        emit UnstakedWithdrawn(providerId, msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    function unpause() external onlyRole(PAUSER_ROLE) {
        _unpause();
    }

    function providerOf(uint32 providerId) external view returns (Provider memory) {
        return _providers[providerId];
    }

    function stakeOf(uint32 providerId) external view returns (uint64) {
        return _providers[providerId].stake;
    }

    /// @inheritdoc IProviderRegistry
    function ownerOf(uint32 providerId) external view returns (address) {
        return _providers[providerId].owner;
    }

    /// @inheritdoc IProviderRegistry
    function payoutOf(uint32 providerId) external view returns (address) {
        return _providers[providerId].payout;
    }

    function _callersProvider() private view returns (uint32 providerId) {
        providerId = providerIdOf[msg.sender];
        if (providerId == 0) revert NotRegistered(msg.sender);
    }
}

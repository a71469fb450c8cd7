// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IProviderRegistry} from "./IProviderRegistry.sol";
import {ProtocolContract} from "./ProtocolContract.sol";
import {RegistryEvents} from "./RegistryEvents.sol";

/// @title Providers, where they are paid, and what they have at stake.
/// @notice Amounts are micro-USDC, times are seconds. Unstaked amounts thaw before they can leave, and can be slashed
/// until they have left. A slash is proposed with its evidence, waits out the time for disputes, and then takes from the
/// stake, thereafter from what thaws, never more than the era's cap and never what a provider has earned. It goes to the
/// tenant that was let down, and for the rest to the treasury; both pull it.
/// A pause stops registrations, new stake and slashes; it never stops anyone from leaving.
contract ProviderRegistry is IProviderRegistry, ProtocolContract, RegistryEvents {
    using SafeERC20 for IERC20;

    enum SlashState {
        None,
        Pending,
        Cancelled,
        Executed
    }

    /// @dev Three slots: owner, stake, tier, suspension; payout, thawing amount and its time; metadata hash.
    struct Provider {
        address owner;
        uint64 stake;
        uint8 tier;
        bool suspended;
        address payout;
        uint64 thawing;
        uint32 thawedAt;
        bytes32 metadataHash;
    }

    /// @dev Three slots.
    struct Slash {
        uint32 providerId;
        uint64 amount;
        uint64 compensation;
        uint32 executableAt;
        SlashState state;
        address tenant;
        bytes32 evidenceHash;
    }

    /// @dev One slot. What is proposed and not yet decided, and until when it can hold back what has thawed.
    struct Hold {
        uint64 pending;
        uint32 heldUntil;
    }

    /// @dev One slot. What was at stake before the first slash of the era, and what this era has taken since.
    struct EraSlashes {
        uint32 era;
        uint64 base;
        uint64 taken;
    }

    struct Terms {
        uint32 thawSeconds;
        uint32 disputeSeconds;
        uint32 executionSeconds;
        uint32 eraSeconds;
        uint16 eraCapBps;
    }

    /// @notice Sets tiers.
    bytes32 public constant TIER_ROLE = keccak256("TIER_ROLE");
    /// @notice Suspends and reinstates.
    bytes32 public constant SUSPENDER_ROLE = keccak256("SUSPENDER_ROLE");
    /// @notice Proposes slashes.
    bytes32 public constant SLASHER_ROLE = keccak256("SLASHER_ROLE");
    /// @notice Cancels proposed slashes.
    bytes32 public constant DISPUTE_ROLE = keccak256("DISPUTE_ROLE");
    /// @notice The worst tier; 1 is the best. 0: not rated yet.
    uint8 public constant LAST_TIER = 7;
    uint256 private constant BASIS_POINTS = 10_000;

    /// @notice How long unstaked amounts stay, in seconds.
    uint32 public immutable thawSeconds;
    /// @notice How long a proposed slash can be disputed, in seconds.
    uint32 public immutable disputeSeconds;
    /// @notice How long after that it can be executed, in seconds.
    uint32 public immutable executionSeconds;
    /// @notice Length of the eras that the cap counts by, in seconds.
    uint32 public immutable eraSeconds;
    /// @notice Highest share of what is at stake that one era can take, in basis points.
    uint16 public immutable eraCapBps;

    /// @notice The last id given out; ids start at 1.
    uint32 public lastProviderId;
    /// @notice The last id of a proposed slash; ids start at 1.
    uint32 public lastSlashId;
    /// @notice Who is credited what no tenant is owed.
    address public treasury;
    mapping(uint32 providerId => Provider provider) private _providers;
    /// @notice The provider that an account owns; 0 for none.
    mapping(address owner => uint32 providerId) public providerIdOf;
    mapping(uint32 slashId => Slash slash) private _slashes;
    mapping(uint32 providerId => Hold hold) private _holds;
    mapping(uint32 providerId => EraSlashes slashes) private _eraSlashes;
    /// @notice Slashed amounts that an account may withdraw.
    mapping(address account => uint256 amount) public creditOf;

    /// @param upgrader_ the timelock; its delay must cover a thaw and the longest hold
    /// @param terms times in seconds; a dispute and an execution must fit into a thaw
    constructor(IERC20 token_, address upgrader_, Terms memory terms)
        ProtocolContract(
            token_, upgrader_, uint256(terms.thawSeconds) + terms.disputeSeconds + terms.executionSeconds
        )
    {
        if (
            terms.eraSeconds == 0 || terms.eraCapBps == 0 || terms.eraCapBps > BASIS_POINTS
                || terms.disputeSeconds == 0 || terms.executionSeconds == 0
                || uint256(terms.disputeSeconds) + terms.executionSeconds > terms.thawSeconds
        ) revert InvalidParameter();
        thawSeconds = terms.thawSeconds;
        disputeSeconds = terms.disputeSeconds;
        executionSeconds = terms.executionSeconds;
        eraSeconds = terms.eraSeconds;
        eraCapBps = terms.eraCapBps;
    }

    /// @notice Sets up the proxy, once.
    /// @param admin grants and revokes every role
    /// @param treasury_ who is credited what no tenant is owed
    function initialize(address admin, address treasury_) external initializer {
        _initializeRoles(admin);
        _setTreasury(treasury_);
    }

    // --- Providers -------------------------------------------------------------------------------------------------

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

    /// @notice Where the caller's provider is paid from now on.
    function setPayout(address payout) external {
        if (payout == address(0)) revert ZeroAddress();
        uint32 providerId = _callersProvider();
        _providers[providerId].payout = payout;
        emit PayoutChanged(providerId, payout);
    }

    /// @notice Changes the hash of the description of the caller's provider.
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
        _pull(msg.sender, amount);
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

    /// @notice Pays out what has thawed, to the owner. What slashes that were proposed before it had thawed may still
    /// take stays, until they are decided or their time is over.
    function withdrawUnstaked() external nonReentrant {
        uint32 providerId = _callersProvider();
        Provider storage provider = _providers[providerId];
        uint64 thawing = provider.thawing;
        if (thawing == 0) revert ZeroAmount();
        uint32 thawedAt = provider.thawedAt;
        if (block.timestamp < thawedAt) revert StillThawing(thawedAt);
        uint64 held = _heldOf(providerId, provider.stake);
        if (held >= thawing) revert HeldForSlashing(_holds[providerId].heldUntil);
        provider.thawing = held;
        emit UnstakedWithdrawn(providerId, msg.sender, thawing - held);
        token.safeTransfer(msg.sender, thawing - held);
    }

    // --- Standing --------------------------------------------------------------------------------------------------

    /// @param tier 1 (best) to 7
    function setTier(uint32 providerId, uint8 tier) external onlyRole(TIER_ROLE) {
        if (tier == 0 || tier > LAST_TIER) revert InvalidTier(tier);
        _known(providerId).tier = tier;
        emit TierChanged(providerId, tier);
    }

    /// @notice Keeps a provider from new leases, or lets it have them again. Its money moves as before.
    /// @param reasonHash keccak256 of the reason, kept off chain
    function setSuspended(uint32 providerId, bool suspended, bytes32 reasonHash)
        external
        onlyRole(SUSPENDER_ROLE)
    {
        _known(providerId).suspended = suspended;
        emit SuspensionChanged(providerId, suspended, reasonHash);
    }

    // --- Slashing --------------------------------------------------------------------------------------------------

    /// @notice Queues a slash; it can be executed `disputeSeconds` from now, for `executionSeconds`.
    /// @param amount what to take, at most
    /// @param tenant who was let down; the zero address for nobody
    /// @param compensation the part of the amount that is for the tenant, before the treasury gets any
    /// @param evidenceHash keccak256 of the evidence, kept off chain
    function proposeSlash(
        uint32 providerId,
        uint64 amount,
        address tenant,
        uint64 compensation,
        bytes32 evidenceHash
    ) external onlyRole(SLASHER_ROLE) whenNotPaused returns (uint32 slashId) {
        if (amount == 0) revert ZeroAmount();
        if (amount > MAX_AMOUNT) revert AmountTooLarge();
        if (compensation > amount) revert CompensationTooHigh(compensation, amount);
        if (compensation != 0 && tenant == address(0)) revert ZeroAddress();
        if (evidenceHash == 0) revert ZeroEvidence();
        Provider storage provider = _known(providerId);
        slashId = ++lastSlashId;
        uint32 executableAt = uint32(block.timestamp) + disputeSeconds;
        _slashes[slashId] =
            Slash(providerId, amount, compensation, executableAt, SlashState.Pending, tenant, evidenceHash);
        _hold(providerId, amount, provider.thawedAt, executableAt + executionSeconds);
        emit SlashProposed(slashId, providerId, tenant, amount, compensation, executableAt, evidenceHash);
    }

    /// @notice Drops a proposed slash.
    /// @param reasonHash keccak256 of the reason, kept off chain
    function cancelSlash(uint32 slashId, bytes32 reasonHash) external onlyRole(DISPUTE_ROLE) {
        Slash storage slash = _pendingSlash(slashId);
        slash.state = SlashState.Cancelled;
        _holds[slash.providerId].pending -= slash.amount;
        emit SlashCancelled(slashId, slash.providerId, reasonHash);
    }

    /// @notice Carries out a slash that nobody has cancelled; anyone may. Takes what there is and what the cap of this
    /// era leaves; the rest of the amount lapses.
    function executeSlash(uint32 slashId) external whenNotPaused {
        Slash storage slash = _pendingSlash(slashId);
        uint32 executableAt = slash.executableAt;
        if (block.timestamp < executableAt) revert StillDisputable(executableAt);
        uint32 expiredAt = executableAt + executionSeconds;
        if (block.timestamp >= expiredAt) revert SlashExpired(expiredAt);
        uint32 providerId = slash.providerId;
        uint64 amount = slash.amount;
        uint64 taken = _take(providerId, amount);
        slash.state = SlashState.Executed;
        _holds[providerId].pending -= amount;
        uint64 compensated = taken < slash.compensation ? taken : slash.compensation;
        address tenant = slash.tenant;
        if (compensated != 0) creditOf[tenant] += compensated;
        if (taken != compensated) creditOf[treasury] += taken - compensated;
        emit SlashExecuted(slashId, providerId, tenant, taken, compensated);
        emit StakeChanged(providerId, _providers[providerId].owner, _providers[providerId].stake);
    }

    /// @notice Pays the caller what slashes have credited it.
    function withdrawCredit() external nonReentrant returns (uint256 amount) {
        amount = creditOf[msg.sender];
        if (amount == 0) revert ZeroAmount();
        creditOf[msg.sender] = 0;
        emit CreditWithdrawn(msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    /// @notice Who is credited from now on what no tenant is owed.
    function setTreasury(address treasury_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setTreasury(treasury_);
    }

    // --- Views -----------------------------------------------------------------------------------------------------

    /// @notice All that is known of a provider; all zero where there is none.
    function providerOf(uint32 providerId) external view returns (Provider memory) {
        return _providers[providerId];
    }

    /// @notice What a provider has at stake, without what thaws.
    function stakeOf(uint32 providerId) external view returns (uint64) {
        return _providers[providerId].stake;
    }

    /// @notice A slash and how far it has come; all zero where there is none.
    function slashOf(uint32 slashId) external view returns (Slash memory) {
        return _slashes[slashId];
    }

    /// @notice What this era may still take from a provider, at most.
    function slashableOf(uint32 providerId) external view returns (uint64 amount) {
        (amount,) = _slashable(providerId);
    }

    /// @notice What of a provider's thawing amount stays for proposed slashes, and until when at most.
    function holdOf(uint32 providerId) external view returns (uint64 held, uint32 heldUntil) {
        return (_heldOf(providerId, _providers[providerId].stake), _holds[providerId].heldUntil);
    }

    /// @inheritdoc IProviderRegistry
    function ownerOf(uint32 providerId) external view returns (address) {
        return _providers[providerId].owner;
    }

    /// @inheritdoc IProviderRegistry
    function payoutOf(uint32 providerId) external view returns (address) {
        return _providers[providerId].payout;
    }

    /// @inheritdoc IProviderRegistry
    function standingOf(uint32 providerId) external view returns (address owner, bool suspended) {
        Provider storage provider = _providers[providerId];
        return (provider.owner, provider.suspended);
    }

    // --- Internals -------------------------------------------------------------------------------------------------

    function _setTreasury(address treasury_) private {
        if (treasury_ == address(0)) revert ZeroAddress();
        treasury = treasury_;
        emit TreasuryChanged(treasury_);
    }

    /// @dev A proposal holds thawing amounts only if it comes before they have thawed, and never longer than one dispute
    /// and one execution beyond: whoever proposes for ever holds back nobody for ever.
    function _hold(uint32 providerId, uint64 amount, uint32 thawedAt, uint32 until) private {
        Hold storage hold = _holds[providerId];
        hold.pending += amount;
        if (block.timestamp < thawedAt && until > hold.heldUntil) hold.heldUntil = until;
    }

    function _take(uint32 providerId, uint64 asked) private returns (uint64 taken) {
        (uint64 slashable, uint64 base) = _slashable(providerId);
        taken = asked < slashable ? asked : slashable;
        if (taken == 0) revert NothingToSlash(providerId);
        EraSlashes storage slashes = _eraSlashes[providerId];
        uint32 era = uint32(block.timestamp / eraSeconds);
        uint64 takenBefore = slashes.era == era ? slashes.taken : 0;
        _eraSlashes[providerId] = EraSlashes(era, base, takenBefore + taken);
        Provider storage provider = _providers[providerId];
        uint64 fromStake = taken < provider.stake ? taken : provider.stake;
        provider.stake -= fromStake;
        provider.thawing -= taken - fromStake;
    }

    /// @return what of the thawing amount proposed slashes could take once the stake is gone
    function _heldOf(uint32 providerId, uint64 staked) private view returns (uint64) {
        Hold memory hold = _holds[providerId];
        if (block.timestamp >= hold.heldUntil || hold.pending <= staked) return 0;
        return hold.pending - staked;
    }

    /// @return amount what this era may still take
    /// @return base what was at stake before the era's first slash
    function _slashable(uint32 providerId) private view returns (uint64 amount, uint64 base) {
        Provider storage provider = _providers[providerId];
        uint64 atStake = provider.stake + provider.thawing;
        EraSlashes memory slashes = _eraSlashes[providerId];
        bool sameEra = slashes.era == uint32(block.timestamp / eraSeconds);
        base = sameEra ? slashes.base : atStake;
        uint64 cap = uint64((uint256(base) * eraCapBps) / BASIS_POINTS);
        amount = sameEra ? cap - slashes.taken : cap;
        if (amount > atStake) amount = atStake;
    }

    function _pendingSlash(uint32 slashId) private view returns (Slash storage slash) {
        slash = _slashes[slashId];
        if (slash.state == SlashState.None) revert UnknownSlash(slashId);
        if (slash.state != SlashState.Pending) revert SlashNotPending(slashId);
    }

    function _known(uint32 providerId) private view returns (Provider storage provider) {
        provider = _providers[providerId];
        if (provider.owner == address(0)) revert UnknownProvider(providerId);
    }

    function _callersProvider() private view returns (uint32 providerId) {
        providerId = providerIdOf[msg.sender];
        if (providerId == 0) revert NotRegistered(msg.sender);
    }
}

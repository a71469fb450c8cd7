// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {IProviderRegistry} from "./IProviderRegistry.sol";
import {ProtocolContract} from "./ProtocolContract.sol";

/// @title Rewards of providers that stay up.
/// @notice Anyone funds an era. After it has ended, a root of cumulative rewards is posted for it, can be disputed for a
/// while, and then pays each provider the difference to the era before, to its payout address. An era never pays more
/// than it was funded with: whoever posts a false root can misdirect the pool of that era, not that of any other.
/// Amounts are micro-USDC, times are seconds. An era's number is its start in seconds since 1970, divided by its length.
/// A pause stops funding and new roots, never a claim.
contract LivenessRewards is ProtocolContract {
    using SafeERC20 for IERC20;

    /// @dev Two slots. A root of zero: none yet, or disputed.
    struct Era {
        uint64 pool;
        uint64 paid;
        uint40 claimableAt;
        bytes32 root;
    }

    /// @notice What a provider can prove: `cumulative` is all of its rewards up to and with the era, `previous` all before
    /// it, both in micro-USDC.
    struct Reward {
        uint32 era;
        uint32 providerId;
        uint64 previous;
        uint64 cumulative;
    }

    /// @notice Posts roots.
    bytes32 public constant POSTER_ROLE = keccak256("POSTER_ROLE");
    /// @notice Takes back roots that cannot be claimed yet.
    bytes32 public constant DISPUTE_ROLE = keccak256("DISPUTE_ROLE");

    /// @notice Who provides, and where they are paid.
    IProviderRegistry public immutable registry;
    /// @notice Length of an era, in seconds.
    uint32 public immutable eraSeconds;
    /// @notice How long a root can be disputed before it pays, in seconds.
    uint32 public immutable disputeSeconds;
    /// @notice How long after its end an era pays; what is left then goes to the current era. Seconds.
    uint32 public immutable claimSeconds;

    mapping(uint32 era => Era entry) private _eras;
    /// @notice All that a provider has been paid, ever; only grows.
    mapping(uint32 providerId => uint64 amount) public claimedOf;

    event EraFunded(uint32 indexed era, address indexed by, uint64 amount, uint64 pool);
    event RootPosted(uint32 indexed era, bytes32 root, uint40 claimableAt);
    event RootDisputed(uint32 indexed era, bytes32 root, bytes32 reasonHash);
    event RewardClaimed(uint32 indexed providerId, uint32 indexed era, address indexed to, uint64 amount);
    event EraRolledOver(uint32 indexed era, uint32 indexed into, uint64 amount);

    error InvalidParameter();
    error EraNotOver(uint32 era, uint32 current);
    error EraOver(uint32 era, uint32 current);
    error ClaimsOver(uint32 era);
    error ClaimsNotOver(uint32 era);
    error ZeroRoot();
    error RootAlreadyPosted(uint32 era);
    error RootNotPosted(uint32 era);
    error RootNotClaimable(uint32 era, uint40 claimableAt);
    error RootFinal(uint32 era);
    error UnknownProvider(uint32 providerId);
    error NotParty(address caller);
    error InvalidProof(uint32 era, uint32 providerId);
    /// @notice Eras are claimed in their order.
    error EarlierEraUnclaimed(uint32 providerId, uint64 claimed, uint64 previous);
    error NothingToClaim(uint32 providerId, uint64 claimed);
    error PoolExceeded(uint32 era, uint64 left, uint64 asked);

    /// @param upgrader_ the timelock; its delay must cover a dispute
    constructor(
        IERC20 token_,
        IProviderRegistry registry_,
        address upgrader_,
        uint32 eraSeconds_,
        uint32 disputeSeconds_,
        uint32 claimSeconds_
    ) ProtocolContract(token_, upgrader_, disputeSeconds_) {
        if (address(registry_) == address(0)) revert ZeroAddress();
        if (eraSeconds_ == 0 || disputeSeconds_ == 0 || claimSeconds_ <= disputeSeconds_) {
            revert InvalidParameter();
        }
        registry = registry_;
        eraSeconds = eraSeconds_;
        disputeSeconds = disputeSeconds_;
        claimSeconds = claimSeconds_;
    }

    /// @notice Sets up the proxy, once.
    /// @param admin grants and revokes every role
    function initialize(address admin) external initializer {
        _initializeRoles(admin);
    }

    /// @notice Adds to the pool of an era that has not ended; needs an allowance.
    function fund(uint32 era, uint64 amount) external nonReentrant whenNotPaused {
        if (amount == 0) revert ZeroAmount();
        uint32 current = currentEra();
        if (era < current) revert EraOver(era, current);
        uint64 pool = _addToPool(era, amount);
        emit EraFunded(era, msg.sender, amount, pool);
        _pull(msg.sender, amount);
    }

    /// @notice Posts the root of an era that has ended, once; it pays `disputeSeconds` from now.
    function postRoot(uint32 era, bytes32 root) external onlyRole(POSTER_ROLE) whenNotPaused {
        if (root == 0) revert ZeroRoot();
        uint32 current = currentEra();
        if (era >= current) revert EraNotOver(era, current);
        if (_claimsOver(era)) revert ClaimsOver(era);
        Era storage entry = _eras[era];
        if (entry.root != 0) revert RootAlreadyPosted(era);
        uint40 claimableAt = uint40(block.timestamp + disputeSeconds);
        entry.root = root;
        entry.claimableAt = claimableAt;
        emit RootPosted(era, root, claimableAt);
    }

    /// @notice Takes a root back before it pays; another may be posted.
    /// @param reasonHash keccak256 of the reason, kept off chain
    function disputeRoot(uint32 era, bytes32 reasonHash) external onlyRole(DISPUTE_ROLE) {
        Era storage entry = _eras[era];
        bytes32 root = entry.root;
        if (root == 0) revert RootNotPosted(era);
        if (block.timestamp >= entry.claimableAt) revert RootFinal(era);
        entry.root = 0;
        entry.claimableAt = 0;
        emit RootDisputed(era, root, reasonHash);
    }

    /// @notice Pays a provider what an era has added to its rewards, to its payout address. Owner or payout may call.
    /// Eras are claimed in their order; one that added nothing may be left out.
    function claim(Reward calldata reward, bytes32[] calldata proof) external nonReentrant returns (uint64 amount) {
        uint32 era = reward.era;
        uint32 providerId = reward.providerId;
        address payout = registry.payoutOf(providerId);
        if (payout == address(0)) revert UnknownProvider(providerId);
        if (msg.sender != payout && msg.sender != registry.ownerOf(providerId)) revert NotParty(msg.sender);
        Era storage entry = _eras[era];
        if (entry.root == 0) revert RootNotPosted(era);
        if (block.timestamp < entry.claimableAt) revert RootNotClaimable(era, entry.claimableAt);
        if (_claimsOver(era)) revert ClaimsOver(era);
        if (!MerkleProof.verifyCalldata(proof, entry.root, leafOf(reward))) revert InvalidProof(era, providerId);
        uint64 claimed = claimedOf[providerId];
        if (claimed < reward.previous) revert EarlierEraUnclaimed(providerId, claimed, reward.previous);
        if (reward.cumulative <= claimed) revert NothingToClaim(providerId, claimed);
        amount = reward.cumulative - claimed;
        uint64 left = entry.pool - entry.paid;
        if (amount > left) revert PoolExceeded(era, left, amount);
        entry.paid += amount;
        claimedOf[providerId] = reward.cumulative;
        emit RewardClaimed(providerId, era, payout, amount);
        token.safeTransfer(payout, amount);
    }

    /// @notice Moves what an era has left after its time for claims to the current era; anyone may.
    function rollOver(uint32 era) external returns (uint64 amount) {
        if (!_claimsOver(era)) revert ClaimsNotOver(era);
        Era storage entry = _eras[era];
        amount = entry.pool - entry.paid;
        if (amount == 0) revert ZeroAmount();
        entry.pool = entry.paid;
        uint32 current = currentEra();
        _addToPool(current, amount);
        emit EraRolledOver(era, current, amount);
    }

    /// @notice An era's pool, what it has paid, its root, and from when on it pays.
    function eraOf(uint32 era) external view returns (Era memory) {
        return _eras[era];
    }

    /// @notice The era of this second.
    function currentEra() public view returns (uint32) {
        return uint32(block.timestamp / eraSeconds);
    }

    /// @notice The leaf of the tree: hashed twice, so that no inner node can pass for one.
    function leafOf(Reward calldata reward) public pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(reward))));
    }

    function _addToPool(uint32 era, uint64 amount) private returns (uint64) {
        uint256 pool = uint256(_eras[era].pool) + amount;
        if (pool > MAX_AMOUNT) revert AmountTooLarge();
        _eras[era].pool = uint64(pool);
        return uint64(pool);
    }

    function _claimsOver(uint32 era) private view returns (bool) {
        return block.timestamp >= (uint256(era) + 1) * eraSeconds + claimSeconds;
    }
}

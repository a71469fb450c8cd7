// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @notice What a tenant agrees to for one lease. Opened once, whatever comes of it.
/// @param tenant who pays
/// @param providerId the only provider that may serve it; 0 for any
/// @param maxRatePerHour highest rate, in micro-USDC per hour
/// @param maxLock highest lock, in micro-USDC
/// @param deadline last second in which the lease may be opened
/// @param nonce any number that the tenant has not used yet, also for spending limits
/// @param orderRef keccak256 of the order's id off chain
struct Order {
    address tenant;
    uint32 providerId;
    uint64 maxRatePerHour;
    uint64 maxLock;
    uint40 deadline;
    uint256 nonce;
    bytes32 orderRef;
}

/// @title Signatures of tenants (EIP-712): by a key, with low s only, or by a wallet that is a contract (ERC-1271).
/// @notice The domain names this contract and the chain; every signature has a deadline and a nonce that is used up
/// once, in any order, and that the tenant can use up to cancel.
abstract contract SignedConsent is EIP712 {
    /// @notice EIP-712 type of an order.
    bytes32 public constant ORDER_TYPEHASH = keccak256(
        "Order(address tenant,uint32 providerId,uint64 maxRatePerHour,uint64 maxLock,uint40 deadline,uint256 nonce,bytes32 orderRef)"
    );
    /// @notice EIP-712 type of a spending limit.
    bytes32 public constant SPENDING_LIMIT_TYPEHASH = keccak256(
        "SpendingLimit(address tenant,uint64 maxRatePerHour,uint64 maxLocked,uint40 validUntil,uint256 nonce,uint256 deadline)"
    );

    /// @dev 256 nonces a word.
    mapping(address tenant => mapping(uint256 word => uint256 bits)) private _usedNonces;
    mapping(bytes32 orderHash => bool created) private _createdOrders;

    /// @notice A tenant put an order on chain itself, in place of a signature.
    event OrderCreated(address indexed tenant, uint256 indexed nonce, bytes32 indexed orderHash, Order order);
    /// @notice Whatever bears this nonce is void.
    event NonceCancelled(address indexed tenant, uint256 indexed nonce);

    error NonceUsed(address tenant, uint256 nonce);
    error SignatureExpired(uint256 deadline);
    error InvalidSignature(address signer);
    error NotTenant(address caller);

    constructor() EIP712("Gridbourse ComputeMarket", "1") {}

    /// @notice Puts an order on chain in place of a signature: for wallets that cannot sign.
    function createOrder(Order calldata order) external {
        if (msg.sender != order.tenant) revert NotTenant(msg.sender);
        if (isNonceUsed(order.tenant, order.nonce)) revert NonceUsed(order.tenant, order.nonce);
        bytes32 orderHash = hashOrder(order);
        _createdOrders[orderHash] = true;
        emit OrderCreated(order.tenant, order.nonce, orderHash, order);
    }

    /// @notice Voids whatever the caller has signed or created with this nonce and nobody has used yet.
    function cancelNonce(uint256 nonce) external {
        _useNonce(msg.sender, nonce);
        emit NonceCancelled(msg.sender, nonce);
    }

    /// @notice Whether a nonce is used up, by an effect or by its cancellation.
    function isNonceUsed(address tenant, uint256 nonce) public view returns (bool) {
        return _usedNonces[tenant][nonce >> 8] & (1 << (nonce & 0xff)) != 0;
    }

    /// @notice What a tenant signs for an order.
    function hashOrder(Order calldata order) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(ORDER_TYPEHASH, order)));
    }

    /// @notice What a tenant signs for a spending limit.
    /// @param deadline last second in which the signature may be handed in
    function hashSpendingLimit(
        address tenant,
        uint64 maxRatePerHour,
        uint64 maxLocked,
        uint40 validUntil,
        uint256 nonce,
        uint256 deadline
    ) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    SPENDING_LIMIT_TYPEHASH, tenant, maxRatePerHour, maxLocked, validUntil, nonce, deadline
                )
            )
        );
    }

    /// @dev Uses up the order's nonce. An empty signature stands for an order that was created on chain.
    function _useOrder(Order calldata order, bytes calldata signature) internal returns (bytes32 orderHash) {
        orderHash = hashOrder(order);
        if (signature.length != 0 || !_createdOrders[orderHash]) {
            _checkSignature(order.tenant, orderHash, signature);
        }
        if (block.timestamp > order.deadline) revert SignatureExpired(order.deadline);
        _useNonce(order.tenant, order.nonce);
    }

    function _useNonce(address tenant, uint256 nonce) internal {
        if (isNonceUsed(tenant, nonce)) revert NonceUsed(tenant, nonce);
        _usedNonces[tenant][nonce >> 8] |= 1 << (nonce & 0xff);
    }

    function _checkSignature(address signer, bytes32 hash, bytes calldata signature) internal view {
        if (!SignatureChecker.isValidSignatureNowCalldata(signer, hash, signature)) {
            revert InvalidSignature(signer);
        }
    }
}

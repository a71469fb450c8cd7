// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IERC3009} from "./IERC3009.sol";

/// @title A stand-in for USDC on local chains: six decimals, permit, EIP-3009, and anyone may mint.
/// @dev Never deploy it where value is at stake.
contract TestUSDC is ERC20, ERC20Permit, IERC3009 {
    /// @notice EIP-712 type of what `receiveWithAuthorization` takes a signature over.
    bytes32 public constant RECEIVE_WITH_AUTHORIZATION_TYPEHASH = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );

    /// @notice Whether an authorization has been used.
    mapping(address authorizer => mapping(bytes32 nonce => bool used)) public authorizationState;

    error CallerMustBePayee();
    error AuthorizationNotValidNow();
    error AuthorizationUsed();
    error InvalidAuthorization();

    constructor() ERC20("USD Coin (test)", "USDC") ERC20Permit("USD Coin (test)") {}

    /// @notice Makes tokens out of nothing.
    /// @param amount micro-USDC
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    /// @inheritdoc IERC3009
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        if (msg.sender != to) revert CallerMustBePayee();
        if (block.timestamp <= validAfter || block.timestamp >= validBefore) revert AuthorizationNotValidNow();
        if (authorizationState[from][nonce]) revert AuthorizationUsed();
        bytes32 content = keccak256(
            abi.encode(RECEIVE_WITH_AUTHORIZATION_TYPEHASH, from, to, value, validAfter, validBefore, nonce)
        );
        if (ECDSA.recover(_hashTypedDataV4(content), v, r, s) != from) revert InvalidAuthorization();
        authorizationState[from][nonce] = true;
        _transfer(from, to, value);
    }

    /// @notice Six: the smallest unit is a micro-USDC.
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}

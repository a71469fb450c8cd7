// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title A stand-in for USDC on local chains: six decimals, permit, and anyone may mint.
/// @dev Never deploy it where value is at stake.
contract TestUSDC is ERC20, ERC20Permit {
    constructor() ERC20("USD Coin (test)", "USDC") ERC20Permit("USD Coin (test)") {}

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    /// @param amount micro-USDC
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

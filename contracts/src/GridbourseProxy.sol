// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";

/// @title Where a contract lives for good: holds its state and its tokens, and borrows its code (ERC-1967, UUPS).
contract GridbourseProxy is ERC1967Proxy {
    /// @param implementation the code
    /// @param initialization the call that sets up the state; never empty, so that no proxy is left for others to claim
    constructor(address implementation, bytes memory initialization) ERC1967Proxy(implementation, initialization) {}
}

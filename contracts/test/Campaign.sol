// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev Tells Foundry what to call in an invariant campaign: these functions of one handler, and nothing else.
abstract contract Campaign {
    struct Selectors {
        address addr;
        bytes4[] selectors;
    }

    address private _target;
    bytes4[] private _selectors;

    function target(address handler) internal {
        _target = handler;
    }

    function add(bytes4 selector) internal {
        _selectors.push(selector);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = _target;
    }

    function targetSelectors() external view returns (Selectors[] memory targets) {
        targets = new Selectors[](1);
        targets[0] = Selectors(_target, _selectors);
    }
}

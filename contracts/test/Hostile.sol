// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @dev A token that takes a share of every transfer, or mints to itself and gives more.
contract CrookedToken is ERC20 {
    int256 public difference;

    constructor() ERC20("Crooked", "CRK") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setDifference(int256 difference_) external {
        difference = difference_;
    }

    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256,
        uint256,
        bytes32,
        uint8,
        bytes32,
        bytes32
    ) external {
        _transfer(from, to, value);
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (from == address(0) || to == address(0)) return;
        if (difference < 0) _burn(to, uint256(-difference));
        if (difference > 0) _mint(to, uint256(difference));
    }
}

/// @dev A token that calls somebody back in the middle of a transfer, as tokens with hooks do.
contract CallingToken is ERC20 {
    address private _callee;
    bytes private _call;
    bool public called;
    bool public succeeded;

    constructor() ERC20("Calling", "CAL") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function callBack(address callee, bytes calldata data) external {
        (_callee, _call, called) = (callee, data, false);
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (_callee == address(0) || from == address(0)) return;
        address callee = _callee;
        _callee = address(0);
        called = true;
        (succeeded,) = Reentrant(callee).run(_call);
    }
}

/// @dev An account that is a tenant, provider or role, and does what its token tells it to.
contract Reentrant {
    address private immutable _target;

    constructor(address target) {
        _target = target;
    }

    function run(bytes memory data) public returns (bool done, bytes memory answer) {
        (done, answer) = _target.call(data);
    }

    function on(address target, bytes memory data) external returns (bytes memory answer) {
        bool done;
        (done, answer) = target.call(data);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
    }
}

/// @dev A wallet that is a contract, and answers as it was told to.
contract Wallet is IERC1271 {
    enum Manner {
        Honest,
        Refuse,
        Revert,
        WrongAnswer,
        HugeAnswer,
        ShortAnswer,
        BurnGas,
        Reenter
    }

    address public immutable signer;
    address private immutable _market;
    Manner public manner;

    constructor(address signer_, address market) {
        (signer, _market) = (signer_, market);
    }

    function behave(Manner manner_) external {
        manner = manner_;
    }

    function on(address target, bytes calldata data) external {
        (bool done, bytes memory answer) = target.call(data);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        if (manner == Manner.Refuse) return 0xffffffff;
        if (manner == Manner.Revert) revert("no");
        if (manner == Manner.WrongAnswer) return bytes4(keccak256("isValidSignature(bytes32)"));
        if (manner == Manner.HugeAnswer) {
            assembly ("memory-safe") {
                return(0, 1000000)
            }
        }
        if (manner == Manner.ShortAnswer) {
            assembly ("memory-safe") {
                mstore(0, shl(224, 0x1626ba7e))
                return(0, 4)
            }
        }
        if (manner == Manner.BurnGas) {
            while (true) {}
        }
        if (manner == Manner.Reenter) {
            // A static call: whatever it tries to change fails, and then it says yes.
            (bool done,) = address(_market).staticcall(abi.encodeWithSignature("cancelNonce(uint256)", 1));
            return done ? bytes4(0xffffffff) : this.isValidSignature.selector;
        }
        (bytes32 r, bytes32 s, uint8 v) =
            (bytes32(signature[0:32]), bytes32(signature[32:64]), uint8(signature[64]));
        return ecrecover(hash, v, r, s) == signer ? this.isValidSignature.selector : bytes4(0xffffffff);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "./Base.sol";

interface VmReplay {
    function skip(bool skipped) external;
    function envOr(string calldata name, uint256 otherwise) external view returns (uint256);
    function readFileBinary(string calldata path) external view returns (bytes memory);
    function writeFileBinary(string calldata path, bytes calldata data) external;
}

/// @dev Plays tapes of calls that libs/chain/test/replay has drawn at random, and writes down all that can be seen of them
/// for the TypeScript model to compare. It judges nothing itself. Only tools/model.mjs hands it tapes.
///
/// A tape: addresses of token, market, registry and rewards; number of view lists (1 byte), lists; a prologue, number of
/// sequences (4), sequences. A list: number of views (2), views of contract (1), length (2), calldata. A sequence: number
/// of calls (2), calls of seconds since the call before (4), sender (20), contract (1), view list (1), length (2), calldata.
/// The prologue is a sequence; each other one starts from what it has left.
///
/// Written down for each call: done (1), length (4) and return or revert data, length (4) and logs as ABI-encoded
/// Vm.Log[], then for each view of the call's list done (1) and its data. After each sequence the last list, once more.
contract ReplayTest is Base {
    struct Deck {
        /// @dev memory address of the next byte to read
        uint256 input;
        /// @dev memory address of the next byte to write
        uint256 output;
        uint256 time;
        /// @dev memory addresses of the view lists
        uint256[] lists;
        /// @dev token, market, registry, rewards
        address[4] contracts;
    }

    uint256 private constant OUTPUT_BYTES = 48 << 20;
    uint256 private constant START = 1_700_000_000;

    function setUp() public {
        if (tapeCount() != 0) setUpMarket();
    }

    function test_replay() public {
        uint256 count = tapeCount();
        if (count == 0) {
            VmReplay(address(vm)).skip(true);
            return;
        }
        string memory folder = vm.envOr("GRIDBOURSE_TAPES", string(""));
        uint256 freeMemory;
        assembly {
            freeMemory := mload(0x40)
        }
        uint256 blank = vm.snapshotState();
        for (uint256 i = 0; i < count; i++) {
            play(string.concat(folder, "/", vm.toString(i)));
            vm.revertToState(blank);
            assembly {
                mstore(0x40, freeMemory)
            }
        }
    }

    function tapeCount() private view returns (uint256) {
        return VmReplay(address(vm)).envOr("GRIDBOURSE_TAPE_COUNT", uint256(0));
    }

    function play(string memory path) private {
        bytes memory tape = VmReplay(address(vm)).readFileBinary(string.concat(path, ".tape"));
        bytes memory written;
        Deck memory deck;
        assembly {
            // Not zeroed: only what is written is read.
            written := mload(0x40)
            mstore(0x40, add(written, add(32, OUTPUT_BYTES)))
            mstore(deck, add(tape, 32))
        }
        deck.output = start(written);
        deck.time = START;
        deck.contracts = [address(token), address(market), address(registry), address(rewards)];
        for (uint256 i = 0; i < 4; i++) vm.assertEq(address(uint160(read(deck, 20))), deck.contracts[i]);
        deck.lists = new uint256[](read(deck, 1));
        for (uint256 i = 0; i < deck.lists.length; i++) {
            deck.lists[i] = deck.input;
            skipList(deck);
        }
        vm.recordLogs();
        playSequence(deck);
        uint256 prologue = vm.snapshotState();
        uint256 time = deck.time;
        for (uint256 left = read(deck, 4); left != 0; left--) {
            deck.time = time;
            playSequence(deck);
            vm.revertToState(prologue);
        }
        uint256 length = deck.output - start(written);
        vm.assertLe(length, OUTPUT_BYTES, "output");
        vm.assertEq(deck.input, start(tape) + tape.length);
        assembly {
            mstore(written, length)
        }
        VmReplay(address(vm)).writeFileBinary(string.concat(path, ".seen"), written);
    }

    function playSequence(Deck memory deck) private {
        for (uint256 left = read(deck, 2); left != 0; left--) playCall(deck);
        look(deck, deck.lists.length - 1);
    }

    function playCall(Deck memory deck) private {
        deck.time += read(deck, 4);
        vm.warp(deck.time);
        vm.prank(address(uint160(read(deck, 20))));
        address target = deck.contracts[read(deck, 1)];
        uint256 list = read(deck, 1);
        uint256 length = read(deck, 2);
        uint256 output = deck.output;
        uint256 input = deck.input;
        uint256 done;
        assembly {
            done := call(gas(), target, 0, input, length, 0, 0)
            mstore8(output, done)
            mstore(add(output, 1), shl(224, returndatasize()))
            returndatacopy(add(output, 5), 0, returndatasize())
            output := add(output, add(5, returndatasize()))
        }
        deck.input = input + length;
        deck.output = output;
        writeLogs(deck, done != 0);
        look(deck, list);
    }

    /// @dev The logs of a call that was refused are none, whatever it had logged before.
    function writeLogs(Deck memory deck, bool kept) private {
        address cheats = address(vm);
        uint256 output = deck.output;
        bytes4 selector = vm.getRecordedLogs.selector;
        assembly {
            mstore(0, selector)
            pop(call(gas(), cheats, 0, 0, 4, 0, 0))
            let length := mul(kept, returndatasize())
            mstore(output, shl(224, length))
            returndatacopy(add(output, 4), 0, length)
            output := add(output, add(4, length))
        }
        deck.output = output;
    }

    /// @dev Asks all views of a list. In assembly, since it is nearly all that this contract does.
    function look(Deck memory deck, uint256 list) private view {
        uint256 input = deck.lists[list];
        uint256 output = deck.output;
        address[4] memory contracts = deck.contracts;
        assembly {
            let left := shr(240, mload(input))
            input := add(input, 2)
            for {} left { left := sub(left, 1) } {
                let header := mload(input)
                let target := mload(add(contracts, shl(5, byte(0, header))))
                let length := and(shr(232, header), 0xffff)
                input := add(input, 3)
                mstore8(output, staticcall(gas(), target, input, length, 0, 0))
                returndatacopy(add(output, 1), 0, returndatasize())
                output := add(output, add(1, returndatasize()))
                input := add(input, length)
            }
        }
        deck.output = output;
    }

    function skipList(Deck memory deck) private pure {
        for (uint256 left = read(deck, 2); left != 0; left--) {
            deck.input += 1;
            uint256 length = read(deck, 2);
            deck.input += length;
        }
    }

    function read(Deck memory deck, uint256 size) private pure returns (uint256 value) {
        assembly {
            let input := mload(deck)
            value := shr(sub(256, shl(3, size)), mload(input))
            mstore(deck, add(input, size))
        }
    }

    function start(bytes memory data) private pure returns (uint256 address_) {
        assembly {
            address_ := add(data, 32)
        }
    }
}

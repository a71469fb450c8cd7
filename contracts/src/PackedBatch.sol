// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The packed form of a settlement batch and of its results.
/// @notice Groups of provider id (4 bytes), row count (2 bytes), rows. A row in: serial (8), cumulative amount in
/// micro-USDC (8). A row out: the same, and its result (8): the amount paid, or the flag with a reason.
library PackedBatch {
    uint256 internal constant HEADER_BYTES = 6;
    uint256 internal constant ROW_BYTES = 16;
    uint256 internal constant RESULT_ROW_BYTES = 24;
    uint256 internal constant COUNT_BITS = 16;
    uint256 internal constant COUNT_MASK = type(uint16).max;
    uint256 internal constant AMOUNT_BITS = 64;
    uint256 internal constant AMOUNT_MASK = type(uint64).max;

    /// @dev A result with this bit says that nothing was paid; the bits below it say why.
    uint256 internal constant SKIPPED = 1 << 63;
    uint256 internal constant SKIPPED_UNKNOWN_LEASE = SKIPPED | 1;
    uint256 internal constant SKIPPED_CLOSED_LEASE = SKIPPED | 2;
    uint256 internal constant SKIPPED_ALREADY_SETTLED = SKIPPED | 3;
    uint256 internal constant SKIPPED_MORE_THAN_LOCK = SKIPPED | 4;
    uint256 internal constant SKIPPED_MORE_THAN_EARNED = SKIPPED | 5;

    error MalformedBatch();

    /// @return start where the batch begins in calldata
    /// @return end where it ends
    function bounds(bytes calldata batch) internal pure returns (uint256 start, uint256 end) {
        assembly ("memory-safe") {
            start := batch.offset
            end := add(start, batch.length)
        }
    }

    /// @notice Walks the group headers: the length of the results, if the batch is well formed.
    function resultBytes(bytes calldata batch) internal pure returns (uint256 length) {
        (uint256 input, uint256 end) = bounds(batch);
        unchecked {
            while (input < end) {
                if (end - input < HEADER_BYTES) revert MalformedBatch();
                uint256 count = load(input, HEADER_BYTES) & COUNT_MASK;
                input += HEADER_BYTES;
                if (count == 0 || count * ROW_BYTES > end - input) revert MalformedBatch();
                input += count * ROW_BYTES;
                length += HEADER_BYTES + count * RESULT_ROW_BYTES;
            }
        }
        if (length == 0) revert MalformedBatch();
    }

    /// @return value the first `size` bytes of calldata at `offset`, as a number
    function load(uint256 offset, uint256 size) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(sub(256, shl(3, size)), calldataload(offset))
        }
    }

    /// @dev Writes `size` bytes, and zeroes behind them up to a word: rows are written front to back, and the memory
    /// behind the last one is padding up to a full word or not in use yet.
    function store(uint256 pointer, uint256 value, uint256 size) internal pure {
        assembly ("memory-safe") {
            mstore(pointer, shl(sub(256, shl(3, size)), value))
        }
    }
}

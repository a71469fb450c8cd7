// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {PackedBatch} from "contracts/src/PackedBatch.sol";
import {ProtocolContract} from "contracts/src/ProtocolContract.sol";

/// @title ComputeMarket.settleBatch with leases packed closer: what docs/decisions/0014 measures, and nothing to deploy.
/// @notice Four neighbouring serials of a provider share the slot that settlements write, two share the slot of their
/// terms, which settlements only read. Same role, pause, proxy, calldata, checks and event as ComputeMarket. To fit, amounts
/// have 48 bits, rates 40, and the operator's last word counts quarters of an hour. There is no money here: whoever
/// measures opens what is to be settled.
contract PackedLeases is ProtocolContract {
    struct Earnings {
        uint128 earned;
        uint128 claimed;
    }

    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");
    uint256 private constant SERIAL_BITS = 64;
    uint256 private constant SECONDS_PER_HOUR = 1 hours;
    uint256 private constant SECONDS_PER_TICK = 15 minutes;
    uint256 private constant AMOUNT_MASK = type(uint48).max;
    uint256 private constant RATE_MASK = type(uint40).max;
    uint256 private constant START_MASK = type(uint40).max;
    uint256 private constant TICK_MASK = type(uint16).max;
    uint256 private constant TERMS_BITS = 128;
    uint256 private constant RATE_OFFSET = 48;
    uint256 private constant START_OFFSET = 88;
    uint256 private constant SETTLED_BITS = 64;
    uint256 private constant TICK_OFFSET = 48;

    mapping(uint32 providerId => Earnings earnings) private _earnings;
    /// @dev Two leases each: lock (48) | rate (40) | start (40). Rate 0: closed. All 0: never opened.
    mapping(uint96 pair => uint256 terms) private _terms;
    /// @dev Four leases each: settled (48) | quarters of an hour from start to the operator's last word (16).
    mapping(uint96 quad => uint256 settled) private _settled;

    event BatchSettled(bytes rows);

    constructor(IERC20 token_, address upgrader_) ProtocolContract(token_, upgrader_, 0) {}

    function initialize(address admin) external initializer {
        _initializeRoles(admin);
    }

    /// @notice Opens leases of one provider, for measuring.
    /// @param serials each no more than once
    function open(uint32 providerId, uint64[] calldata serials, uint48 lock, uint40 rate) external {
        uint256 terms = lock | (uint256(rate) << RATE_OFFSET) | (block.timestamp << START_OFFSET);
        for (uint256 i = 0; i < serials.length; i++) {
            uint96 pair = _key(providerId, serials[i] >> 1);
            _terms[pair] |= terms << ((serials[i] & 1) * TERMS_BITS);
        }
    }

    function settledOf(uint32 providerId, uint64 serial) external view returns (uint256) {
        return (_settled[_key(providerId, serial >> 2)] >> ((serial & 3) * SETTLED_BITS)) & AMOUNT_MASK;
    }

    /// @notice As ComputeMarket.settleBatch. Rows of a group are cheapest in the order of their serials.
    function settleBatch(bytes calldata batch) external onlyRole(OPERATOR_ROLE) whenNotPaused {
        bytes memory results = new bytes(PackedBatch.resultBytes(batch));
        (uint256 input, uint256 end) = PackedBatch.bounds(batch);
        uint256 output;
        assembly ("memory-safe") {
            output := add(results, 32)
        }
        unchecked {
            while (input < end) {
                uint256 header = PackedBatch.load(input, PackedBatch.HEADER_BYTES);
                PackedBatch.store(output, header, PackedBatch.HEADER_BYTES);
                input += PackedBatch.HEADER_BYTES;
                output += PackedBatch.HEADER_BYTES;
                uint256 count = header & PackedBatch.COUNT_MASK;
                uint32 providerId = uint32(header >> PackedBatch.COUNT_BITS);
                uint256 paid = _settleGroup(providerId, input, output, count);
                input += count * PackedBatch.ROW_BYTES;
                output += count * PackedBatch.RESULT_ROW_BYTES;
                if (paid != 0) _earnings[providerId].earned += uint128(paid);
            }
        }
        emit BatchSettled(results);
    }

    function _settleGroup(uint32 providerId, uint256 input, uint256 output, uint256 count)
        private
        returns (uint256 groupPaid)
    {
        // No serial has these bits: the first row reads.
        uint96 pair = type(uint96).max;
        uint96 quad = type(uint96).max;
        uint256 terms;
        uint256 settled;
        uint256 settledBefore;
        unchecked {
            for (; count != 0; count--) {
                uint256 row = PackedBatch.load(input, PackedBatch.ROW_BYTES);
                uint64 serial = uint64(row >> PackedBatch.AMOUNT_BITS);
                uint96 key = _key(providerId, serial >> 2);
                if (key != quad) {
                    if (settled != settledBefore) _settled[quad] = settled;
                    quad = key;
                    settledBefore = settled = _settled[key];
                }
                key = _key(providerId, serial >> 1);
                if (key != pair) {
                    pair = key;
                    terms = _terms[key];
                }
                uint256 result;
                (settled, result) = _settleRow(
                    terms >> ((serial & 1) * TERMS_BITS), settled, (serial & 3) * SETTLED_BITS, uint64(row)
                );
                if (result < PackedBatch.SKIPPED) groupPaid += result;
                PackedBatch.store(output, (row << PackedBatch.AMOUNT_BITS) | result, PackedBatch.RESULT_ROW_BYTES);
                input += PackedBatch.ROW_BYTES;
                output += PackedBatch.RESULT_ROW_BYTES;
            }
        }
        if (settled != settledBefore) _settled[quad] = settled;
    }

    /// @return the four settled amounts after it
    /// @return the amount paid, or why nothing was
    function _settleRow(uint256 terms, uint256 four, uint256 offset, uint256 cumulative)
        private
        view
        returns (uint256, uint256)
    {
        unchecked {
            uint256 rate = (terms >> RATE_OFFSET) & RATE_MASK;
            uint256 start = (terms >> START_OFFSET) & START_MASK;
            if (rate == 0) {
                return (four, start == 0 ? PackedBatch.SKIPPED_UNKNOWN_LEASE : PackedBatch.SKIPPED_CLOSED_LEASE);
            }
            uint256 settled = (four >> offset) & AMOUNT_MASK;
            if (cumulative <= settled) return (four, PackedBatch.SKIPPED_ALREADY_SETTLED);
            if (cumulative > terms & AMOUNT_MASK) return (four, PackedBatch.SKIPPED_MORE_THAN_LOCK);
            uint256 elapsed = block.timestamp - start;
            if (cumulative > (rate * elapsed) / SECONDS_PER_HOUR) {
                return (four, PackedBatch.SKIPPED_MORE_THAN_EARNED);
            }
            uint256 ticks = (elapsed + SECONDS_PER_TICK - 1) / SECONDS_PER_TICK;
            if (ticks > TICK_MASK) ticks = TICK_MASK;
            uint256 kept = four & ~((uint256(type(uint64).max)) << offset);
            return (kept | ((cumulative | (ticks << TICK_OFFSET)) << offset), cumulative - settled);
        }
    }

    function _key(uint32 providerId, uint64 index) private pure returns (uint96) {
        return (uint96(providerId) << uint96(SERIAL_BITS)) | index;
    }
}

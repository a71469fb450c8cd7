// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev All that a settlement has to check, in one storage slot, from the lowest bit on:
/// lock (64) | settled (64) | rate per hour (64) | start (40) | operator's last word (24, minutes since start, rounded up).
/// start = 0: never opened. rate = 0 with a start: closed, for ever.
type LeaseSlot is uint256;

using LeaseSlots for LeaseSlot global;

/// @title Reads and writes the packed terms of a lease. Amounts are micro-USDC, times are seconds.
library LeaseSlots {
    uint256 private constant MASK_64 = type(uint64).max;
    uint256 private constant MASK_40 = type(uint40).max;
    uint256 private constant MASK_24 = type(uint24).max;
    uint256 private constant SECONDS_PER_HOUR = 3600;

    function opened(uint64 lock_, uint64 rate_, uint256 start_) internal pure returns (LeaseSlot) {
        return LeaseSlot.wrap(uint256(lock_) | (uint256(rate_) << 128) | ((start_ & MASK_40) << 192));
    }

    function lock(LeaseSlot slot) internal pure returns (uint256) {
        return LeaseSlot.unwrap(slot) & MASK_64;
    }

    function settled(LeaseSlot slot) internal pure returns (uint256) {
        return (LeaseSlot.unwrap(slot) >> 64) & MASK_64;
    }

    function rate(LeaseSlot slot) internal pure returns (uint256) {
        return (LeaseSlot.unwrap(slot) >> 128) & MASK_64;
    }

    function start(LeaseSlot slot) internal pure returns (uint256) {
        return (LeaseSlot.unwrap(slot) >> 192) & MASK_40;
    }

    function isOpen(LeaseSlot slot) internal pure returns (bool) {
        return rate(slot) != 0;
    }

    function exists(LeaseSlot slot) internal pure returns (bool) {
        return LeaseSlot.unwrap(slot) != 0;
    }

    /// @notice floor(rate x seconds since start / 3600): what time alone has earned, whatever the lock is.
    function earned(LeaseSlot slot, uint256 now_) internal pure returns (uint256) {
        unchecked {
            // 64 bits x 40 bits: no overflow. now_ is never before start: the chain's time does not run backwards.
            return (rate(slot) * (now_ - start(slot))) / SECONDS_PER_HOUR;
        }
    }

    /// @notice When the operator was last heard of for this lease, rounded up to a full minute after its start.
    function heardAt(LeaseSlot slot) internal pure returns (uint256) {
        unchecked {
            return start(slot) + (LeaseSlot.unwrap(slot) >> 232) * 60;
        }
    }

    function withSettled(LeaseSlot slot, uint256 settled_, uint256 now_) internal pure returns (LeaseSlot) {
        unchecked {
            uint256 minutes_ = (now_ - start(slot) + 59) / 60;
            if (minutes_ > MASK_24) minutes_ = MASK_24;
            uint256 kept = LeaseSlot.unwrap(slot) & ~((MASK_64 << 64) | (MASK_24 << 232));
            return LeaseSlot.wrap(kept | (settled_ << 64) | (minutes_ << 232));
        }
    }

    function closed(LeaseSlot slot) internal pure returns (LeaseSlot) {
        return LeaseSlot.wrap(LeaseSlot.unwrap(slot) & ~(MASK_64 << 128));
    }
}

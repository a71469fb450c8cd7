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
    uint256 private constant SETTLED_OFFSET = 64;
    uint256 private constant RATE_OFFSET = 128;
    uint256 private constant START_OFFSET = 192;
    uint256 private constant HEARD_OFFSET = 232;
    uint256 private constant SECONDS_PER_HOUR = 1 hours;
    uint256 private constant SECONDS_PER_MINUTE = 1 minutes;

    function opened(uint64 lock_, uint64 rate_, uint256 start_) internal pure returns (LeaseSlot) {
        return LeaseSlot.wrap(
            uint256(lock_) | (uint256(rate_) << RATE_OFFSET) | ((start_ & MASK_40) << START_OFFSET)
        );
    }

    function lock(LeaseSlot slot) internal pure returns (uint256) {
        return LeaseSlot.unwrap(slot) & MASK_64;
    }

    function settled(LeaseSlot slot) internal pure returns (uint256) {
        return (LeaseSlot.unwrap(slot) >> SETTLED_OFFSET) & MASK_64;
    }

    function rate(LeaseSlot slot) internal pure returns (uint256) {
        return (LeaseSlot.unwrap(slot) >> RATE_OFFSET) & MASK_64;
    }

    function start(LeaseSlot slot) internal pure returns (uint256) {
        return (LeaseSlot.unwrap(slot) >> START_OFFSET) & MASK_40;
    }

    function isOpen(LeaseSlot slot) internal pure returns (bool) {
        return rate(slot) != 0;
    }

    function exists(LeaseSlot slot) internal pure returns (bool) {
        return LeaseSlot.unwrap(slot) != 0;
    }

    /// @notice floor(rate x seconds since start / 3600): what time alone has earned, whatever the lock is.
    function earned(LeaseSlot slot, uint256 time) internal pure returns (uint256) {
        unchecked {
            // 64 bits x 40 bits: no overflow. `time` is never before start: the chain's time does not run backwards.
            return (rate(slot) * (time - start(slot))) / SECONDS_PER_HOUR;
        }
    }

    /// @notice When the operator was last heard of for this lease, rounded up to a full minute after its start.
    function heardAt(LeaseSlot slot) internal pure returns (uint256) {
        unchecked {
            return start(slot) + (LeaseSlot.unwrap(slot) >> HEARD_OFFSET) * SECONDS_PER_MINUTE;
        }
    }

    /// @notice Zero-time: the first second in which time has earned the whole lock. Open leases only.
    function usedUpAt(LeaseSlot slot) internal pure returns (uint256) {
        unchecked {
            return start(slot) + (lock(slot) * SECONDS_PER_HOUR + rate(slot) - 1) / rate(slot);
        }
    }

    function withSettled(LeaseSlot slot, uint256 settled_, uint256 time) internal pure returns (LeaseSlot) {
        unchecked {
            uint256 minutes_ = (time - start(slot) + SECONDS_PER_MINUTE - 1) / SECONDS_PER_MINUTE;
            if (minutes_ > MASK_24) minutes_ = MASK_24;
            uint256 kept =
                LeaseSlot.unwrap(slot) & ~((MASK_64 << SETTLED_OFFSET) | (MASK_24 << HEARD_OFFSET));
            return LeaseSlot.wrap(kept | (settled_ << SETTLED_OFFSET) | (minutes_ << HEARD_OFFSET));
        }
    }

    function withLock(LeaseSlot slot, uint64 lock_) internal pure returns (LeaseSlot) {
        return LeaseSlot.wrap((LeaseSlot.unwrap(slot) & ~MASK_64) | lock_);
    }

    function closed(LeaseSlot slot) internal pure returns (LeaseSlot) {
        return LeaseSlot.wrap(LeaseSlot.unwrap(slot) & ~(MASK_64 << RATE_OFFSET));
    }
}

import { getBytes, keccak256 } from 'ethers';

/**
 * The bloom filter of a block's logs (Yellow Paper 4.4.3): three bits for each address and topic. It never denies what is
 * there, and seldom affirms what is not.
 */
export class LogFilter {
  private readonly bits: readonly (readonly { byte: number; mask: number }[])[];

  constructor(addresses: readonly string[]) {
    this.bits = addresses.map((address) => {
      const digest = getBytes(keccak256(address));
      return [0, 2, 4].map((at) => {
        const bit = ((digest[at]! << 8) | digest[at + 1]!) & 2_047;
        return { byte: 255 - (bit >> 3), mask: 1 << (bit & 7) };
      });
    });
  }

  /** Whether a block with this filter (256 bytes in hexadecimal) may hold logs of any of the addresses. */
  mayHold(bloom: string): boolean {
    const bytes = Buffer.from(bloom.slice(2), 'hex');
    return this.bits.some((bits) => bits.every(({ byte, mask }) => (bytes[byte]! & mask) !== 0));
  }
}

import { DomainError } from '@gridbourse/kernel';
import { id as keccak256OfText } from 'ethers';

const MAX_PROVIDER = 0xffff_ffff;
const MAX_SERIAL = 2n ** 64n - 1n;
const PATTERN = /^0x[0-9a-f]{24}$/;

export type LeaseKeyParts = { readonly chainProviderId: number; readonly serial: bigint };

/**
 * The key of a lease on chain: provider (uint32), then serial (uint64), as `0x` and 24 hexadecimal digits.
 * @throws DomainError `invalid_lease_key`
 */
export const chainLeaseKey = (chainProviderId: number, serial: bigint): string => {
  const fits =
    Number.isInteger(chainProviderId) &&
    chainProviderId >= 1 &&
    chainProviderId <= MAX_PROVIDER &&
    serial >= 0n;
  if (!fits || serial > MAX_SERIAL) {
    throw new DomainError(
      'invalid',
      'invalid_lease_key',
      `no lease key of provider ${chainProviderId}, serial ${serial}`,
    );
  }
  return `0x${chainProviderId.toString(16).padStart(8, '0')}${serial.toString(16).padStart(16, '0')}`;
};

/** @throws DomainError `invalid_lease_key` */
export const splitLeaseKey = (leaseKey: string): LeaseKeyParts => {
  if (!PATTERN.test(leaseKey)) {
    throw new DomainError('invalid', 'invalid_lease_key', `"${leaseKey.slice(0, 40)}" is not a lease key`);
  }
  return {
    chainProviderId: Number.parseInt(leaseKey.slice(2, 10), 16),
    serial: BigInt(`0x${leaseKey.slice(10)}`),
  };
};

/** What stands for a lease in the contract's events: keccak256 of the id's UTF-8 text. */
export const leaseRefOf = (leaseId: string): string => keccak256OfText(leaseId);

import { invalid } from '@gridbourse/kernel';
import type { TypedDataDomain } from './typed-data.ts';

/** Where a consent is good: one contract on one chain, and nowhere else. */
export type Market = {
  readonly chainId: number;
  /** Address of ComputeMarket. */ readonly computeMarket: string;
};

/** @throws DomainError `invalid_consent` */
export const consentDomain = ({ chainId, computeMarket }: Market): TypedDataDomain => {
  demandAddress('computeMarket', computeMarket);
  if (!Number.isSafeInteger(chainId) || chainId < 1) throw refused('chainId', 'is not the id of a chain');
  return { name: 'Gridbourse ComputeMarket', version: '1', chainId, verifyingContract: computeMarket };
};

export const demandAddress = (field: string, value: string): void => {
  if (!/^0x[0-9a-fA-F]{40}$/.test(value)) throw refused(field, 'is not an address');
};

export const demandHash = (field: string, value: string): void => {
  if (!/^0x[0-9a-fA-F]{64}$/.test(value)) throw refused(field, 'is not 32 bytes in hexadecimal');
};

export const demandUnsigned = (field: string, value: bigint, bits: number): void => {
  if (value < 0n || value >= 1n << BigInt(bits)) throw refused(field, `does not fit ${bits} bits`);
};

/** Seconds and ids that the contract keeps in few bits. */
export const demandCount = (field: string, value: number, bits: number): void => {
  if (!Number.isSafeInteger(value)) throw refused(field, 'is not a whole number');
  demandUnsigned(field, BigInt(value), bits);
};

const refused = (field: string, why: string) =>
  invalid('invalid_consent', `${field} ${why}`, [{ pointer: `/${field}`, message: why }]);

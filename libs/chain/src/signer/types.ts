import { DomainError } from '@gridbourse/kernel';
import { type Signature, SigningKey, computeAddress } from 'ethers';
import type { EntityManager } from 'typeorm';
import type { Revert } from '../reverts.ts';

/** What shall happen on chain. The same id means the same effect, once, however often it is asked for. */
export type TxIntent = {
  readonly id: string;
  readonly to: string;
  readonly data: string;
  /** Absent: estimated just before signing. */
  readonly gasLimit?: bigint;
};

export type TxMined = {
  readonly id: string;
  readonly status: 'confirmed' | 'reverted';
  readonly txHash: string;
  readonly gasUsed: bigint;
  /** Wei per gas that was paid. */
  readonly gasPrice: bigint;
  readonly blockNumber: number;
  readonly submittedAtMs: number;
  readonly confirmedAtMs: number;
  /** Of a revert, as far as the node can still tell. */
  readonly error?: Revert;
};

/** Nothing happened on chain, and nothing will. */
export type TxRejected = {
  readonly id: string;
  readonly status: 'rejected';
  readonly txHash: null;
  readonly confirmedAtMs: number;
  readonly error: Revert;
};

export type TxOutcome = TxMined | TxRejected;

/**
 * Runs in the transaction that records the outcome: both are kept or neither. May be called again for an id whose
 * outcome the chain has changed (a reorganisation in which it succeeded instead of reverting, or the other way round).
 */
export type OutcomeHandler = (outcome: TxOutcome, manager: EntityManager) => Promise<void>;

export type TxSigned = { readonly id: string; readonly txHash: string; readonly atMs: number };
/** Runs in the transaction that stores the signed bytes, before they are sent. Again with another hash if re-signed. */
export type SignedHandler = (signed: TxSigned, manager: EntityManager) => Promise<void>;

/** Whoever can sign for one address: a key in memory, or a key service. */
export interface TransactionKey {
  /** Lower case. */
  readonly address: string;
  sign(digest: string): Promise<Signature>;
}

/** @throws DomainError `invalid_key` */
export const localKey = (privateKey: string): TransactionKey => {
  try {
    const key = new SigningKey(privateKey);
    return {
      address: computeAddress(key.publicKey).toLowerCase(),
      sign: (digest) => Promise.resolve(key.sign(digest)),
    };
  } catch {
    // The cause would carry the key into logs.
    throw new DomainError(
      'invalid',
      'invalid_key',
      'not a private key: expected 0x and 64 hexadecimal digits',
    );
  }
};

export type SignerLogger = {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
};

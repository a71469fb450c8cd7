import { DomainError } from '@gridbourse/kernel';
import { SiweMessage } from 'siwe';
import type { SignInMessage } from '../../domain/sign-in.ts';

export type ParsedSignIn = SignInMessage & {
  /** Lower case hex with 0x. */
  readonly wallet: string;
  readonly nonce: string;
};

const timeOf = (text: string | undefined): number | null => (text === undefined ? null : Date.parse(text));

/** @throws DomainError `malformed_message` when the text is no EIP-4361 message of version 1 */
export const parseSignIn = (text: string): ParsedSignIn => {
  try {
    const message = new SiweMessage(text);
    if (message.version !== '1') throw new Error('unknown version');
    return {
      scheme: message.scheme ?? null,
      domain: message.domain,
      uri: message.uri,
      chainId: message.chainId,
      wallet: message.address.toLowerCase(),
      nonce: message.nonce,
      issuedAtMs: timeOf(message.issuedAt) ?? Number.NaN,
      expirationTimeMs: timeOf(message.expirationTime),
      notBeforeMs: timeOf(message.notBefore),
    };
  } catch (error) {
    throw new DomainError(
      'invalid',
      'malformed_message',
      'this is no Sign-In with Ethereum message (EIP-4361)',
      {
        faults: [{ pointer: '/message', message: 'expected an EIP-4361 message of version 1' }],
        cause: error,
      },
    );
  }
};

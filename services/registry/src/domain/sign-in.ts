import { DomainError, type Instant } from '@gridbourse/kernel';

/** The parts of a Sign-In with Ethereum message (EIP-4361) that say where and when it is good for. */
export type SignInMessage = {
  readonly scheme: string | null;
  readonly domain: string;
  readonly uri: string;
  readonly chainId: number;
  readonly issuedAtMs: Instant;
  readonly expirationTimeMs: Instant | null;
  readonly notBeforeMs: Instant | null;
};

export type SignInPolicy = {
  /** Scheme, host and port that users reach us by, such as `https://gridbourse.example`. */
  readonly origin: { readonly scheme: string; readonly domain: string; readonly uri: string };
  readonly chainId: number;
};

/** A message is good for so long after it was issued, whatever its own expiration says. */
const MAX_MESSAGE_AGE_MS = 600_000;
/** Clocks of two machines may differ by so much. */
const CLOCK_TOLERANCE_MS = 30_000;

const refused = (code: string, message: string): DomainError =>
  new DomainError('unauthenticated', code, message);

/**
 * Checks that a message was made for us, for our chain, and for now. Signature and nonce are checked elsewhere.
 * @throws DomainError `wrong_domain`, `wrong_uri`, `wrong_chain`, `message_not_yet_valid`, `message_expired`
 */
export const checkSignIn = (message: SignInMessage, policy: SignInPolicy, now: Instant): void => {
  const { origin, chainId } = policy;
  if (message.domain !== origin.domain || (message.scheme !== null && message.scheme !== origin.scheme)) {
    throw refused(
      'wrong_domain',
      `the message asks to sign in to ${message.domain}, and this is ${origin.domain}`,
    );
  }
  if (message.uri !== origin.uri && !message.uri.startsWith(`${origin.uri}/`)) {
    throw refused('wrong_uri', `the message is for ${message.uri}, and this is ${origin.uri}`);
  }
  if (message.chainId !== chainId) {
    throw refused('wrong_chain', `the message is for chain ${message.chainId}, and this is chain ${chainId}`);
  }
  const notBeforeMs = Math.max(message.issuedAtMs, message.notBeforeMs ?? message.issuedAtMs);
  if (notBeforeMs > now + CLOCK_TOLERANCE_MS)
    throw refused('message_not_yet_valid', 'the message is not valid yet');
  const expiresAtMs = Math.min(
    message.issuedAtMs + MAX_MESSAGE_AGE_MS,
    message.expirationTimeMs ?? Number.POSITIVE_INFINITY,
  );
  // Written so that a time that is no number is refused too.
  if (!(now < expiresAtMs))
    throw refused('message_expired', 'the message has expired: ask for a new nonce and sign again');
};

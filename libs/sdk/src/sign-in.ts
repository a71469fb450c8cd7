import { type Clock, rfc3339 } from '@gridbourse/kernel';

/** What a wallet must be able to do: sign a text (EIP-191). `address` in its checksum form (EIP-55). */
export type MessageSigner = { address: string; signMessage(message: string): Promise<string> };

/** What the platform wants to see in the message. */
export type SignInFields = { nonce: string; domain: string; uri: string; chainId: number; expiresAt: string };

/** The text that a wallet signs to sign in (EIP-4361, version 1). */
export const signInMessage = (
  { domain, uri, chainId, nonce, expiresAt }: SignInFields,
  address: string,
  clock: Clock,
): string =>
  [
    `${domain} wants you to sign in with your Ethereum account:`,
    address,
    '',
    'Sign in to Gridbourse.',
    '',
    `URI: ${uri}`,
    'Version: 1',
    `Chain ID: ${chainId}`,
    `Nonce: ${nonce}`,
    `Issued At: ${rfc3339(clock.now())}`,
    `Expiration Time: ${expiresAt}`,
  ].join('\n');

import { createHash, randomBytes } from 'node:crypto';

/** Text that nobody can guess: 256 bits from the system's secure source, base64url, 43 characters. */
export const secretText = (): string => randomBytes(32).toString('base64url');

/** As `secretText`, hexadecimal: letters and digits only, 64 characters. */
export const secretHex = (): string => randomBytes(32).toString('hex');

/** What is stored instead of a secret of 256 bits; such a secret needs no salt. */
export const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex');

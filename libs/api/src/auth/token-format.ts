import { createHash } from 'node:crypto';

/** Who signs access tokens, and for whom; checked on every one. */
export const TOKEN_ISSUER = 'gridbourse';
export const TOKEN_AUDIENCE = 'gridbourse-api';
export const TOKEN_ALGORITHM = 'ES256';
/** No access token lives longer, whatever its own `exp` says. */
export const MAX_TOKEN_AGE_SECONDS = 900;

/** `gbk_` and 32 random bytes in base64url. */
export const API_KEY_PATTERN = /^gbk_[A-Za-z0-9_-]{43}$/;

/** SHA-256 of the whole key, lower-case hexadecimal: what is stored and published instead of the key. */
export const hashApiKey = (key: string): string => createHash('sha256').update(key).digest('hex');

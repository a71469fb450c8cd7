export type Account = { accountId: string; wallet: string; name: string; scopes: string[]; openedAt: string };

export type Tokens = {
  accessToken: string;
  accessExpiresAt: string;
  refreshToken: string;
  accountId: string;
};

export type ApiKey = {
  apiKeyId: string;
  name: string;
  scopes: string[];
  expiresAt: string | null;
  issuedAt: string;
  revokedAt: string | null;
};

/** `key` is shown this once. */
export type IssuedKey = {
  apiKeyId: string;
  name: string;
  key: string;
  scopes: string[];
  expiresAt: string | null;
};

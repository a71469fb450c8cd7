import type { Clock } from '@gridbourse/kernel';
import type { Tokens } from './types/index.ts';

export type ClientAuth =
  | { apiKey: string }
  /** `onTokens` hears of every renewal: a refresh token is good once, so keep the new one. */
  | { tokens: Tokens; onTokens?: (tokens: Tokens) => void }
  | { none: true };

/** Renewed this long before they run out. */
const RENEW_BEFORE_MS = 30_000;

/** Who the client is, and how it stays so: tokens are renewed ahead of time, one renewal at a time. */
export class Session {
  private renewing: Promise<void> | undefined;

  constructor(
    private auth: ClientAuth,
    private readonly clock: Clock,
    private readonly refresh: (refreshToken: string) => Promise<Tokens>,
  ) {}

  /** The value of the Authorization header, or none. */
  async authorization(): Promise<string | undefined> {
    if ('none' in this.auth) return undefined;
    if ('apiKey' in this.auth) return `Bearer ${this.auth.apiKey}`;
    if (Date.parse(this.auth.tokens.accessExpiresAt) - this.clock.now() < RENEW_BEFORE_MS) await this.renew();
    return `Bearer ${this.auth.tokens.accessToken}`;
  }

  /** After a refusal; true when there are new tokens to try. */
  async renewAuthorization(): Promise<boolean> {
    if (!('tokens' in this.auth)) return false;
    await this.renew();
    return true;
  }

  /** Takes tokens into use. A listener that was given before goes on listening. */
  take(tokens: Tokens): void {
    const onTokens = 'onTokens' in this.auth ? this.auth.onTokens : undefined;
    this.auth = onTokens === undefined ? { tokens } : { tokens, onTokens };
    onTokens?.(tokens);
  }

  /** Forgets the tokens and gives them back, or null when there are none. */
  leave(): Tokens | null {
    if (!('tokens' in this.auth)) return null;
    const { tokens } = this.auth;
    this.auth = { none: true };
    return tokens;
  }

  private renew(): Promise<void> {
    this.renewing ??= this.renewOnce().finally(() => {
      this.renewing = undefined;
    });
    return this.renewing;
  }

  private async renewOnce(): Promise<void> {
    if ('tokens' in this.auth) this.take(await this.refresh(this.auth.tokens.refreshToken));
  }
}

import { createHash, randomBytes } from 'node:crypto';
import type { KeyValue } from './port.ts';

const TOKEN_BYTES = 32;
/** Text from outside: longer than any token of ours needs no look. */
const MAX_TOKEN_CHARS = 256;

/**
 * Tokens that are good once and for a while: nonces, links, codes. Fails closed: without an answer of the store no token
 * is issued and none is taken. A token whose answer was lost on the way counts as used.
 */
export class OneTimeTokens {
  constructor(
    private readonly store: Pick<KeyValue, 'putOnce' | 'take'>,
    private readonly options: {
      /** What tells these tokens from others of the same store. */
      readonly scope: string;
      readonly ttlMs: number;
    },
  ) {}

  /**
   * @param payload handed to whoever uses the token
   * @returns 256 bits of the system's secure source, hexadecimal
   * @throws DomainError `key_value_unavailable`, `key_value_full`, `value_too_large`
   */
  async issue(payload = ''): Promise<string> {
    for (;;) {
      const token = randomBytes(TOKEN_BYTES).toString('hex');
      if (await this.store.putOnce(this.keyOf(token), payload, this.options.ttlMs)) return token;
    }
  }

  /**
   * Uses a token up: of any number of callers with the same one, a single one gets the payload.
   * @returns null for a token that was never issued, was used, or has expired
   * @throws DomainError `key_value_unavailable`: the token may be used up by now
   */
  async consume(token: string): Promise<string | null> {
    if (token.length > MAX_TOKEN_CHARS) return null;
    return this.store.take(this.keyOf(token));
  }

  /** The digest is a valid key whatever the text, and whoever reads the store learns no token. */
  private keyOf(token: string): string {
    return `${this.options.scope}/${createHash('sha256').update(token).digest('hex')}`;
  }
}

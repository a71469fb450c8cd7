import {
  AccountDirectory,
  CLOCK,
  deterministicId,
  LOGGER,
  PeriodicTasks,
  SERVICE_CONFIG,
} from '@gridbourse/api';
import { type Clock, DomainError, rfc3339 } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { ContractWallets, signedByWallet } from '../../adapters/wallet-signatures.ts';
import { Aggregates } from '../../aggregates/aggregates.ts';
import { accounts } from '../../aggregates/registry-aggregates.ts';
import { checkSignIn, type SignInPolicy } from '../../domain/sign-in.ts';
import type { RegistryConfig } from '../../registry.config.ts';
import { AccessTokens } from './access-tokens.ts';
import { Nonces } from './nonces.ts';
import { RefreshTokens } from './refresh-tokens.ts';
import { parseSignIn } from './sign-in.message.ts';

export type Tokens = {
  accessToken: string;
  accessExpiresAt: string;
  refreshToken: string;
  accountId: string;
};

const SWEEP_TOKENS_EVERY_MS = 3_600_000;

const policyOf = ({
  publicOrigin,
  chainId,
}: Pick<RegistryConfig, 'publicOrigin' | 'chainId'>): SignInPolicy => {
  const url = new URL(publicOrigin);
  return { origin: { scheme: url.protocol.slice(0, -1), domain: url.host, uri: url.origin }, chainId };
};

/** Sign-In with Ethereum: a wallet proves itself, gets an account at the first time, and tokens. */
@Injectable()
export class SignIn implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly policy: SignInPolicy;
  private readonly contracts: ContractWallets | undefined;

  constructor(
    private readonly nonces: Nonces,
    private readonly accessTokens: AccessTokens,
    private readonly refreshTokens: RefreshTokens,
    private readonly aggregates: Aggregates,
    private readonly directory: AccountDirectory,
    private readonly tasks: PeriodicTasks,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(SERVICE_CONFIG) config: RegistryConfig,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.policy = policyOf(config);
    this.contracts =
      config.rpcUrl === undefined ? undefined : new ContractWallets(config.rpcUrl, config.chainId, logger);
  }

  onApplicationBootstrap(): void {
    this.tasks.every({ name: 'sweep-refresh-tokens', everyMs: SWEEP_TOKENS_EVERY_MS }, () =>
      this.refreshTokens.sweep(),
    );
  }

  onApplicationShutdown(): void {
    this.contracts?.close();
  }

  /** All that a message to us must contain. */
  async nonce(): Promise<{ nonce: string; domain: string; uri: string; chainId: number; expiresAt: string }> {
    const { nonce, expiresAtMs } = await this.nonces.issue();
    const { origin, chainId } = this.policy;
    return { nonce, domain: origin.domain, uri: origin.uri, chainId, expiresAt: rfc3339(expiresAtMs) };
  }

  /**
   * @throws DomainError `malformed_message`, `wrong_domain`, `wrong_uri`, `wrong_chain`, `message_not_yet_valid`,
   *   `message_expired`, `nonce_unknown`, `invalid_signature`
   */
  async login(text: string, signature: string): Promise<Tokens> {
    const message = parseSignIn(text);
    checkSignIn(message, this.policy, this.clock.now());
    await this.nonces.consume(message.nonce);
    const signed =
      signedByWallet(message.wallet, text, signature) ||
      (await this.contracts?.accepts(message.wallet, text, signature)) === true;
    if (!signed) {
      throw new DomainError(
        'unauthenticated',
        'invalid_signature',
        `the message was not signed by ${message.wallet}`,
      );
    }
    const accountId = await this.accountOf(message.wallet);
    return this.tokens({ accountId, wallet: message.wallet }, await this.refreshTokens.begin(accountId));
  }

  /** @throws DomainError `refresh_token_invalid`, `…_expired`, `…_revoked`, `…_reused` */
  async refresh(token: string): Promise<Tokens> {
    const { accountId, refreshToken } = await this.refreshTokens.rotate(token);
    const account = await this.directory.byId(accountId);
    if (!account) throw new DomainError('internal', 'account_missing', `no account ${accountId}`);
    return this.tokens(account, refreshToken);
  }

  logout(token: string): Promise<void> {
    return this.refreshTokens.revoke(token);
  }

  /** The id follows from the wallet, so two first logins at once open one account. */
  private async accountOf(wallet: string): Promise<string> {
    const known = await this.directory.byWallet(wallet);
    if (known) return known.accountId;
    const accountId = deterministicId('account', wallet);
    const name = `${wallet.slice(0, 6)}…${wallet.slice(-4)}`;
    await this.aggregates.execute(accounts, accountId, [
      { type: 'OpenAccount', accountId, wallet, name, atMs: this.clock.now() },
    ]);
    return accountId;
  }

  private async tokens(
    account: { accountId: string; wallet: string },
    refreshToken: string,
  ): Promise<Tokens> {
    const { accessToken, expiresAtMs } = await this.accessTokens.issue(account);
    return { accessToken, accessExpiresAt: rfc3339(expiresAtMs), refreshToken, accountId: account.accountId };
  }
}

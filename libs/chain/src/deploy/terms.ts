/** What the contracts are made with. Times in seconds. */
export type DeployParams = {
  /** An existing token with six decimals; absent: TestUSDC is deployed. */
  readonly token?: string;
  /** Default a week. Three sevenths of it are for disputes of a slash, the rest for its execution. */
  readonly thawSeconds?: number;
  /** Operator's silence after which tenant or provider may close a lease. Default a day. */
  readonly forceCloseAfterSeconds?: number;
  /** What an upgrade waits; the contracts refuse less than their own longest exit. Default two weeks. */
  readonly upgradeDelaySeconds?: number;
};

export type Terms = {
  readonly thawSeconds: number;
  readonly disputeSeconds: number;
  readonly executionSeconds: number;
  readonly eraSeconds: number;
  /** Highest share of what is at stake that one era takes, in basis points. */
  readonly eraSlashCapBps: number;
  readonly claimSeconds: number;
  readonly forceCloseAfterSeconds: number;
  readonly upgradeDelaySeconds: number;
};

const DAY_SECONDS = 24 * 3_600;

export const termsOf = (params: DeployParams): Terms => {
  const thawSeconds = params.thawSeconds ?? 7 * DAY_SECONDS;
  const disputeSeconds = Math.floor((thawSeconds * 3) / 7);
  return {
    thawSeconds,
    disputeSeconds,
    executionSeconds: thawSeconds - disputeSeconds,
    eraSeconds: DAY_SECONDS,
    eraSlashCapBps: 5_000,
    claimSeconds: 365 * DAY_SECONDS,
    forceCloseAfterSeconds: params.forceCloseAfterSeconds ?? DAY_SECONDS,
    upgradeDelaySeconds: params.upgradeDelaySeconds ?? 14 * DAY_SECONDS,
  };
};

import type { EntityManager } from 'typeorm';

export type IntentKind = 'open' | 'settle' | 'close';

/** A transaction that shall be sent: the same id is the same transaction, once, whatever happens in between. */
export type ChainIntent = {
  /** `open:<leaseId>`, `settle:<batch>`, `close:<settlementId>` */
  readonly id: string;
  readonly data: string;
  /** Intents of one shard key go through one operator key, in order. */
  readonly shardKey: string;
};

export const intentKindOf = (intentId: string): IntentKind => intentId.split(':', 1)[0] as IntentKind;

/** Sends transactions to the market's contract. The intent is stored in the caller's transaction; the sending follows. */
export abstract class Relayer {
  abstract request(manager: EntityManager, intents: readonly ChainIntent[]): Promise<void>;
  /** Call after the commit: there is something to send. */
  abstract wake(): void;
}

import { type Clock, DomainError } from '@gridbourse/kernel';
import type { EntityManager } from 'typeorm';
import { isRpcUnavailable, type Rpc, RpcError } from '../json-rpc.ts';
import { KeyHolder } from './key-holder.ts';
import type { SignerSession, SignerStore } from './signer-store.ts';
import {
  localKey,
  type OutcomeHandler,
  type SignedHandler,
  type SignerLogger,
  type TransactionKey,
  type TxIntent,
} from './types.ts';

export type DurableSignerOptions = {
  readonly store: SignerStore;
  readonly rpc: Rpc;
  /** A private key, or whoever signs with one. */
  readonly key: string | TransactionKey;
  readonly clock: Clock;
  readonly logger: SignerLogger;
  /** Nonces that may wait for a block at one time. Default 16. */
  readonly maxInFlight?: number;
  /** Wei. While the chain asks more, intents queue. Default 100 gwei. */
  readonly maxFeePerGas?: bigint;
  /** Wei. Arbitrum ignores it. Default 0. */
  readonly tipPerGas?: bigint;
  /** Below this balance (wei) `status` and the log say so. Default 0.01 ether. */
  readonly lowBalance?: bigint;
  /** While something is in flight. Default 20. */
  readonly pollMs?: number;
  /** While nothing is. Default 200. */
  readonly idleMs?: number;
};

export type SignerStatus = {
  readonly address: string;
  /** `standby`: another process holds the key. `halted`: the chain is not the one the key was used on. */
  readonly state: 'stopped' | 'standby' | 'working' | 'failing' | 'halted';
  readonly reason: string | null;
  readonly inFlight: number;
  /** Wei; null before the first look. */
  readonly balance: bigint | null;
  readonly balanceIsLow: boolean;
};

const STANDBY_MS = 500;
const MAX_BACKOFF_MS = 1_000;
const BALANCE_EVERY_MS = 30_000;
const DEFAULT_LOW_BALANCE = 10n ** 16n;

/**
 * Sends transactions of one key, each exactly once in effect, whatever fails in between.
 *
 * | what happens | what it does |
 * |---|---|
 * | the process dies anywhere | intents, nonces and signed bytes are in Postgres; the next holder looks each hash up before it sends |
 * | two processes have the key | one holds its lock and works, the other stands by |
 * | a send has no clear answer | the hash is looked up, then the same bytes are sent again |
 * | the intent would revert | it is told as rejected before a nonce is spent on it |
 * | it reverts in its block | told as reverted, with the reason |
 * | the node refuses the bytes for good | the nonce is used up by a transfer of nothing; told as rejected once that is mined |
 * | the fee is too low | signed again under the same nonce with a higher one, up to the cap |
 * | the chain loses blocks | the same bytes are sent again in the order of nonces; a changed outcome is told again |
 * | another chain answers | nothing is sent: `halted` |
 *
 * Holds one connection of the pool while it runs.
 */
export class DurableSigner {
  readonly address: string;
  private readonly o: DurableSignerOptions;
  private readonly key: TransactionKey;
  private outcomeHandler: OutcomeHandler = () => Promise.resolve();
  private signedHandler: SignedHandler = () => Promise.resolve();
  private session: SignerSession | null = null;
  private holder: KeyHolder | null = null;
  private loop: Promise<void> | null = null;
  private stopping = false;
  private state: SignerStatus['state'] = 'stopped';
  private reason: string | null = null;
  private failures = 0;
  private balance: bigint | null = null;
  private balanceReadAt = Number.NEGATIVE_INFINITY;
  private interruptNap: () => void = () => {};
  private woken = false;

  constructor(options: DurableSignerOptions) {
    this.o = options;
    this.key = typeof options.key === 'string' ? localKey(options.key) : options.key;
    this.address = this.key.address;
  }

  /** Before `start`. */
  onOutcome(handler: OutcomeHandler): void {
    this.outcomeHandler = handler;
  }

  /** Before `start`. */
  onSigned(handler: SignedHandler): void {
    this.signedHandler = handler;
  }

  /**
   * Keeps the intent in the caller's transaction; call `wake` after its commit.
   * @throws DomainError `intent_reused`: the same id with another content
   */
  enqueue(manager: EntityManager, intent: TxIntent): Promise<void> {
    return this.o.store.enqueue(manager, this.address, intent, this.o.clock.now());
  }

  start(): void {
    this.stopping = false;
    this.loop ??= this.run();
  }

  /** Finishes the turn in hand and lets go of the key. What is in flight is looked after at the next start. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.interruptNap();
    await this.loop;
    this.loop = null;
    this.state = 'stopped';
  }

  /** There is a new intent. A hint: the queue is also read on our own clock. */
  wake(): void {
    this.holder?.expectWork();
    this.woken = true;
    this.interruptNap();
  }

  status(): SignerStatus {
    return {
      address: this.address,
      state: this.state,
      reason: this.reason,
      inFlight: this.holder?.inFlight ?? 0,
      balance: this.balance,
      balanceIsLow: this.balance !== null && this.balance < (this.o.lowBalance ?? DEFAULT_LOW_BALANCE),
    };
  }

  private async run(): Promise<void> {
    while (!this.stopping) {
      try {
        await this.nap(await this.turn());
      } catch (error) {
        await this.afterFailure(error);
      }
    }
    await this.letGo();
  }

  /** @returns how long nothing will happen by itself, in milliseconds */
  private async turn(): Promise<number> {
    if (!(await this.hold())) {
      this.state = 'standby';
      this.reason = null;
      return STANDBY_MS;
    }
    const before = this.holder!.inFlight;
    const busy = await this.holder!.turn();
    if (this.state !== 'working') this.o.logger.info({ signer: this.address }, 'signer works');
    this.state = 'working';
    this.reason = null;
    this.failures = 0;
    await this.readBalance();
    // What was sent just now is often mined before the next look.
    if (this.holder!.inFlight > before) return 1;
    return busy ? (this.o.pollMs ?? 20) : (this.o.idleMs ?? 200);
  }

  private async hold(): Promise<boolean> {
    if (this.holder) return true;
    this.session ??= await this.o.store.claim(this.address);
    if (!this.session) return false;
    const { rpc, clock, logger } = this.o;
    this.holder = await KeyHolder.open({
      session: this.session,
      rpc,
      clock,
      logger,
      key: this.key,
      onOutcome: this.outcomeHandler,
      onSigned: this.signedHandler,
      maxInFlight: this.o.maxInFlight ?? 16,
      maxFeePerGas: this.o.maxFeePerGas ?? 100_000_000_000n,
      tipPerGas: this.o.tipPerGas ?? 0n,
    });
    return true;
  }

  private async letGo(): Promise<void> {
    this.holder = null;
    const session = this.session;
    this.session = null;
    await session?.release();
  }

  private async afterFailure(error: unknown): Promise<void> {
    const halted = error instanceof DomainError && error.code === 'unknown_chain';
    const aboutChain = halted || isRpcUnavailable(error) || error instanceof RpcError;
    this.reason = error instanceof Error ? error.message : String(error);
    const state = halted ? 'halted' : 'failing';
    if (this.state !== state || !aboutChain) {
      this.o.logger.error({ err: error, signer: this.address }, halted ? 'signer halts' : 'signer fails');
    }
    this.state = state;
    // Anything else concerns the database: what is in memory may differ from what is stored.
    if (!aboutChain) await this.letGo().catch(() => undefined);
    this.failures += 1;
    await this.nap(Math.min(MAX_BACKOFF_MS, 50 * 2 ** Math.min(this.failures, 10)));
  }

  private async readBalance(): Promise<void> {
    if (performance.now() - this.balanceReadAt < BALANCE_EVERY_MS) return;
    this.balanceReadAt = performance.now();
    this.balance = BigInt((await this.o.rpc.send('eth_getBalance', [this.address, 'latest'])) as string);
    if (this.status().balanceIsLow) {
      this.o.logger.error(
        { signer: this.address, balanceWei: this.balance.toString() },
        'the balance for gas is low',
      );
    }
  }

  private async nap(milliseconds: number): Promise<void> {
    if (this.stopping) return;
    if (this.woken) {
      this.woken = false;
      return;
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.interruptNap = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.woken = false;
    this.interruptNap = () => {};
  }
}

import { type Clock, DomainError } from '@gridbourse/kernel';
import { isRpcUnavailable, type Rpc, RpcError } from '../json-rpc.ts';
import type { Revert } from '../reverts.ts';
import {
  anyKnown,
  estimates,
  finalizedHeight,
  identityOf,
  look,
  type Receipt,
  receiptsOf,
  type Sight,
} from './chain-view.ts';
import { outcomeOf, refusalOf } from './outcome.ts';
import { Sender } from './sender.ts';
import { type Fees, feesFor } from './sign.ts';
import type { KeyRecord, QueuedIntent, SignerSession } from './signer-store.ts';
import { newSlot, type Slot, slotOf } from './slot.ts';
import type { OutcomeHandler, SignedHandler, SignerLogger, TransactionKey } from './types.ts';
import { WaitingRoom } from './waiting-room.ts';

export type HolderOptions = {
  readonly session: SignerSession;
  readonly rpc: Rpc;
  readonly key: TransactionKey;
  readonly clock: Clock;
  readonly logger: SignerLogger;
  readonly onOutcome: OutcomeHandler;
  readonly onSigned: SignedHandler;
  readonly maxInFlight: number;
  readonly maxFeePerGas: bigint;
  readonly tipPerGas: bigint;
};

const IDENTITY_EVERY_MS = 10_000;
const RECHECK_EVERY_MS = 1_000;
const QUEUE_EVERY_MS = 100;
const RETRY_AFTER_MS = 500;
/** So long a nonce may look used without a receipt of ours before another transaction is taken to have used it. */
const DISPLACED_AFTER_MS = 3_000;
const MAX_RECHECKS = 200;

/**
 * Works for one key while its session lives. Each turn: look at the chain; take in what was mined, lost or displaced;
 * send what is open, in the order of nonces; give nonces to new intents. Nothing is sent that is not stored.
 */
export class KeyHolder {
  private readonly o: HolderOptions;
  private readonly record: KeyRecord;
  private readonly sender: Sender;
  private nextNonce: number;
  /** Open and mined, in the order of nonces. */
  private slots: Slot[];
  private readonly waitingRoom = new WaitingRoom();
  private identityCheckedAt: number;
  private recheckedAt = 0;
  private queueReadAt = Number.NEGATIVE_INFINITY;

  private constructor(options: HolderOptions, record: KeyRecord, slots: Slot[]) {
    this.o = options;
    this.record = record;
    this.sender = new Sender(options, record.chainId);
    this.nextNonce = record.nextNonce;
    this.slots = slots;
    this.identityCheckedAt = performance.now();
  }

  /** @throws DomainError `unknown_chain`, `rpc_unavailable`; RpcError */
  static async open(options: HolderOptions): Promise<KeyHolder> {
    const { session, rpc, key } = options;
    const identity = await identityOf(rpc);
    let record = await session.key();
    if (!record) {
      const { nonce } = await look(rpc, key.address, []);
      record = { ...identity, nextNonce: nonce };
      await session.createKey(record);
    }
    expectChain(record, identity);
    return new KeyHolder(options, record, (await session.watched()).map(slotOf));
  }

  get inFlight(): number {
    return this.open.length;
  }

  private get open(): Slot[] {
    return this.slots.filter((slot) => slot.mined === null);
  }

  /** The queue is read again in the next turn. */
  expectWork(): void {
    this.queueReadAt = Number.NEGATIVE_INFINITY;
  }

  /** @returns whether there is something to look after soon */
  async turn(): Promise<boolean> {
    try {
      await this.checkIdentity();
      const sight = await this.look();
      await this.followNonce(sight);
      await this.takeIn(sight);
      await this.recheck();
      await this.admit(sight);
      await this.sender.send(this.open, sight);
    } catch (error) {
      // Whoever answers next may be another chain.
      if (isRpcUnavailable(error)) this.identityCheckedAt = Number.NEGATIVE_INFINITY;
      throw error;
    }
    return this.inFlight > 0 || this.waitingRoom.size > 0;
  }

  private async checkIdentity(): Promise<void> {
    if (performance.now() - this.identityCheckedAt < IDENTITY_EVERY_MS) return;
    expectChain(this.record, await identityOf(this.o.rpc));
    this.identityCheckedAt = performance.now();
  }

  private look(): Promise<Sight> {
    const hashes = this.open.flatMap((slot) => slot.attempts.map((attempt) => attempt.hash));
    return look(this.o.rpc, this.o.key.address, hashes);
  }

  /** The chain may have lost blocks (fewer nonces used than we saw), or the key may be used elsewhere (more). */
  private async followNonce({ nonce, baseFee }: Sight): Promise<void> {
    const expected = this.open[0]?.nonce ?? this.nextNonce;
    if (nonce < expected) {
      this.identityCheckedAt = Number.NEGATIVE_INFINITY;
      await this.checkIdentity();
      await this.reopen(nonce, expected, baseFee);
    } else if (nonce > this.nextNonce) {
      this.o.logger.warn(
        { signer: this.o.key.address, ours: this.nextNonce, chain: nonce },
        'the key is used elsewhere too',
      );
      await this.o.session.transaction((manager) =>
        this.o.session.setNextNonce(manager, this.nextNonce, nonce),
      );
      this.nextNonce = nonce;
    }
  }

  /** The chain no longer has these nonces: the same bytes will be sent again. Nonces we have no bytes for are burned. */
  private async reopen(from: number, to: number, baseFee: bigint): Promise<void> {
    const { session, logger, key } = this.o;
    logger.warn(
      { signer: key.address, from, to: to - 1 },
      'the chain has lost transactions: sending the same again',
    );
    const stored = new Map((await session.range(from, to)).map((one) => [one.nonce, one]));
    await session.setOpen([...stored.keys()]);
    const reopened: Slot[] = [];
    for (let nonce = from; nonce < to; nonce += 1) {
      const known = stored.get(nonce);
      const slot = known ? { ...slotOf(known), mined: null } : await this.fillGap(nonce, baseFee);
      reopened.push(slot);
    }
    this.slots = [
      ...this.slots.filter((slot) => slot.nonce < from),
      ...reopened,
      ...this.slots.filter((slot) => slot.nonce >= to),
    ];
  }

  private async fillGap(nonce: number, baseFee: bigint): Promise<Slot> {
    const attempt = await this.sender.sign(
      nonce,
      null,
      feesFor(baseFee, this.o.tipPerGas, this.o.maxFeePerGas),
    );
    await this.o.session.transaction(async (manager) => {
      await this.o.session.insertNonce(manager, nonce, null);
      await this.o.session.insertAttempt(manager, nonce, null, attempt);
    });
    return newSlot(nonce, null, attempt);
  }

  private async takeIn(sight: Sight): Promise<void> {
    for (const slot of this.open) {
      const receipt = receiptOf(slot, sight.receipts);
      if (receipt) {
        slot.usedSince = null;
        if (performance.now() >= slot.retryAt) await this.settle(slot, receipt);
      } else if (slot.nonce < sight.nonce) {
        slot.usedSince ??= performance.now();
        if (performance.now() - slot.usedSince > DISPLACED_AFTER_MS) await this.displace(slot);
      } else {
        slot.usedSince = null;
      }
    }
  }

  private async displace(slot: Slot): Promise<void> {
    const hashes = slot.attempts.map((attempt) => attempt.hash);
    if (await anyKnown(this.o.rpc, hashes)) return;
    this.o.logger.error(
      { signer: this.o.key.address, nonce: slot.nonce },
      'another transaction has used the nonce',
    );
    const { session } = this.o;
    await session.transaction((manager) => session.displace(manager, slot.nonce, slot.intent?.id ?? null));
    this.slots = this.slots.filter((other) => other !== slot);
    this.expectWork();
  }

  /** Records where it was mined, and tells the outcome if it is new. */
  private async settle(slot: Slot, receipt: Receipt): Promise<void> {
    const { session, clock } = this.o;
    const outcome = await outcomeOf(slot, receipt, {
      rpc: this.o.rpc,
      from: this.o.key.address,
      nowMs: clock.now(),
    });
    const mined = { hash: receipt.hash, blockNumber: receipt.blockNumber, blockHash: receipt.blockHash };
    const done = await this.attempt(slot, () =>
      session.transaction(async (manager) => {
        await session.setMined(manager, slot.nonce, mined);
        if (!outcome || outcome.status === slot.told) return;
        await session.decide(manager, outcome.id, outcome.status, outcome.error ?? null, clock.now());
        await this.o.onOutcome(outcome, manager);
      }),
    );
    if (!done) return;
    slot.mined = mined;
    slot.preferredHash = mined.hash;
    slot.told = outcome?.status ?? null;
    if (this.waitingRoom.size > 0) this.expectWork();
  }

  /** Runs work that includes a handler of the owner: its failure delays this slot only, unless the database is away. */
  private async attempt(slot: Slot, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      await this.o.session.ping();
      this.o.logger.error(
        { err: error, intentId: slot.intent?.id, nonce: slot.nonce },
        'the outcome could not be recorded',
      );
      slot.retryAt = performance.now() + RETRY_AFTER_MS;
      return false;
    }
  }

  /** What is mined and not final may move to another block, turn out otherwise, or become final. */
  private async recheck(): Promise<void> {
    const mined = this.slots.filter((slot) => slot.mined !== null).slice(0, MAX_RECHECKS);
    if (mined.length === 0 || performance.now() - this.recheckedAt < RECHECK_EVERY_MS) return;
    this.recheckedAt = performance.now();
    const finalized = await finalizedHeight(this.o.rpc);
    const receipts = await receiptsOf(
      this.o.rpc,
      mined.map((slot) => slot.mined!.hash),
    );
    const final: number[] = [];
    for (const slot of mined) {
      const receipt = receipts.get(slot.mined!.hash);
      if (!receipt) {
        await this.o.session.setOpen([slot.nonce]);
        slot.mined = null;
      } else if (receipt.blockHash !== slot.mined!.blockHash) {
        await this.settle(slot, receipt);
      } else if (receipt.blockNumber <= finalized) {
        final.push(slot.nonce);
      }
    }
    if (final.length === 0) return;
    await this.o.session.setFinal(final);
    this.slots = this.slots.filter((slot) => !final.includes(slot.nonce));
  }

  /** Gives nonces to intents that the chain would carry out now, and refuses those that it would not. */
  private async admit(sight: Sight): Promise<void> {
    const room = this.o.maxInFlight - this.inFlight;
    const due = performance.now() - this.queueReadAt >= QUEUE_EVERY_MS;
    if (room <= 0 || !due || sight.baseFee > this.o.maxFeePerGas) return;
    const lowestOpen = this.open[0]?.nonce ?? this.nextNonce;
    const queued = await this.o.session.queued(room, this.waitingRoom.waiting(lowestOpen, performance.now()));
    this.queueReadAt = queued.length === room ? Number.NEGATIVE_INFINITY : performance.now();
    if (queued.length === 0) return;
    const from = this.o.key.address;
    const gas = await estimates(
      this.o.rpc,
      queued.map(({ to, data }) => ({ from, to, data })),
    );
    const accepted: { intent: QueuedIntent; gasLimit: bigint }[] = [];
    for (const [index, intent] of queued.entries()) {
      const estimate = gas[index]!;
      if (!(estimate instanceof RpcError)) {
        this.waitingRoom.leave(intent.id);
        accepted.push({ intent, gasLimit: intent.gasLimit ?? withRoom(estimate) });
        continue;
      }
      const verdict = this.waitingRoom.judge(
        intent.id,
        estimate,
        lowestOpen,
        this.nextNonce + accepted.length - 1,
      );
      if (verdict === 'unclear') {
        this.o.logger.warn({ err: estimate, intentId: intent.id }, 'the node cannot judge an intent');
        this.waitingRoom.later(intent.id, performance.now() + RETRY_AFTER_MS);
      } else if (verdict !== 'wait') {
        await this.refuse(intent, refusalOf(estimate, verdict));
      }
    }
    if (accepted.length > 0) {
      await this.give(accepted, feesFor(sight.baseFee, this.o.tipPerGas, this.o.maxFeePerGas));
    }
  }

  /** Without a nonce, and so without a trace on chain. */
  private async refuse(intent: QueuedIntent, error: Revert): Promise<void> {
    const { session, clock, logger } = this.o;
    const confirmedAtMs = clock.now();
    try {
      await session.transaction(async (manager) => {
        await session.decide(manager, intent.id, 'rejected', error, confirmedAtMs);
        await this.o.onOutcome(
          { id: intent.id, status: 'rejected', txHash: null, confirmedAtMs, error },
          manager,
        );
      });
      this.waitingRoom.leave(intent.id);
    } catch (failure) {
      await session.ping();
      logger.error({ err: failure, intentId: intent.id }, 'the refusal could not be recorded');
      this.waitingRoom.later(intent.id, performance.now() + RETRY_AFTER_MS);
    }
  }

  /** Stores nonces and signed bytes, all or none. Nothing is on its way before this is committed. */
  private async give(
    accepted: readonly { intent: QueuedIntent; gasLimit: bigint }[],
    fees: Fees,
  ): Promise<void> {
    const { session, clock } = this.o;
    const first = this.nextNonce;
    const slots: Slot[] = [];
    for (const [index, { intent, gasLimit }] of accepted.entries()) {
      const attempt = await this.sender.sign(first + index, { ...intent, gasLimit }, fees);
      slots.push(newSlot(first + index, intent, attempt));
    }
    await session.transaction(async (manager) => {
      await session.setNextNonce(manager, first, first + slots.length);
      for (const { nonce, intent, attempts } of slots) {
        await session.insertNonce(manager, nonce, intent!.id);
        await session.insertAttempt(manager, nonce, intent!.id, attempts[0]!);
        await this.o.onSigned({ id: intent!.id, txHash: attempts[0]!.hash, atMs: clock.now() }, manager);
      }
    });
    this.nextNonce = first + slots.length;
    this.slots.push(...slots);
  }
}

const receiptOf = (slot: Slot, receipts: ReadonlyMap<string, Receipt>): Receipt | undefined => {
  for (const { hash } of slot.attempts) {
    const receipt = receipts.get(hash);
    if (receipt) return receipt;
  }
  return undefined;
};

/** The state may have moved between the estimate and the block: the first write of a slot costs 17,100 more. */
const withRoom = (estimate: bigint): bigint => (estimate * 5n) / 4n + 40_000n;

const expectChain = (record: KeyRecord, found: { chainId: number; genesisHash: string }): void => {
  if (found.chainId === record.chainId && found.genesisHash === record.genesisHash) return;
  throw new DomainError(
    'conflict',
    'unknown_chain',
    `the key was used on chain ${record.chainId} with genesis ${record.genesisHash}; the RPC shows chain ${found.chainId} with genesis ${found.genesisHash}`,
  );
};

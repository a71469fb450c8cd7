import { isRpcUnavailable, type RpcError } from '../json-rpc.ts';
import type { Revert } from '../reverts.ts';
import type { Sight } from './chain-view.ts';
import type { HolderOptions } from './key-holder.ts';
import { classifySendError } from './send-errors.ts';
import { bumpedFees, type Fees, feesFor, gasLimitOf, signTransaction } from './sign.ts';
import type { StoredAttempt } from './signer-store.ts';
import { bytesOf, type Slot } from './slot.ts';

const RESEND_AFTER_MS = 1_000;
/** A second apart. */
const REFUSALS_TO_BURN = 2;
const PUZZLES_TO_BURN = 60;

type Action = { readonly to: string; readonly data: string; readonly gasLimit: bigint };

/** Brings stored bytes to the node, and stores others under the same nonce where the first ones cannot be mined. */
export class Sender {
  private readonly o: HolderOptions;
  private readonly chainId: number;

  constructor(options: HolderOptions, chainId: number) {
    this.o = options;
    this.chainId = chainId;
  }

  /** Null: nothing but to use up the nonce. */
  sign(nonce: number, action: Action | null, fees: Fees): Promise<StoredAttempt> {
    return signTransaction(
      this.o.key,
      { chainId: this.chainId, nonce, fees, intent: action },
      this.o.clock.now(),
    );
  }

  /** In the order of nonces, one after the other: a chain without a mempool refuses a nonce whose predecessor it lacks. */
  async send(open: readonly Slot[], sight: Sight): Promise<void> {
    for (const slot of open) {
      if (slot.nonce < sight.nonce) continue;
      if (performance.now() - slot.sentAt < RESEND_AFTER_MS) {
        if (slot.delivered) continue;
        return;
      }
      if (bytesOf(slot).maxFeePerGas < sight.baseFee) await this.bump(slot, sight);
      const now = this.o.clock.now();
      slot.sentAt = performance.now();
      try {
        await this.o.rpc.send('eth_sendRawTransaction', [bytesOf(slot).raw]);
        slot.firstSentAtMs ??= now;
        slot.delivered = true;
        slot.refusals = 0;
      } catch (error) {
        if (!(await this.afterFailedSend(slot, error, sight, now))) return;
      }
    }
  }

  /** @returns whether the nonces behind it may be sent */
  private async afterFailedSend(slot: Slot, error: unknown, sight: Sight, now: number): Promise<boolean> {
    const failure = classifySendError(error);
    const told = { err: error, signer: this.o.key.address, nonce: slot.nonce, intentId: slot.intent?.id };
    switch (failure) {
      case 'known':
      case 'contended':
        slot.firstSentAtMs ??= now;
        slot.delivered = true;
        return true;
      case 'used':
        slot.delivered = true;
        return true; // by whom, the next look tells
      case 'underpriced':
        await this.bump(slot, sight);
        return false;
      case 'refused':
      case 'puzzling':
        slot.refusals += 1;
        this.o.logger.error({ ...told, refusals: slot.refusals }, 'the node refuses a transaction');
        if (slot.refusals >= (failure === 'refused' ? REFUSALS_TO_BURN : PUZZLES_TO_BURN)) {
          await this.burn(slot, error as RpcError, sight);
        }
        return false;
      case 'gap':
      case 'unfunded':
        this.o.logger.error({ ...told, failure }, 'a transaction cannot be sent now');
        return false;
      case 'unclear':
        slot.firstSentAtMs ??= now;
        if (isRpcUnavailable(error)) {
          // The next turn looks the hash up, and sends the same again at once if it is not there.
          slot.sentAt = Number.NEGATIVE_INFINITY;
          throw error;
        }
        this.o.logger.warn(told, 'it is not clear whether a transaction was accepted');
        return false;
    }
  }

  private async bump(slot: Slot, sight: Sight): Promise<void> {
    const latest = slot.attempts.at(-1)!;
    const fees = bumpedFees(latest.maxFeePerGas, sight.baseFee, this.o.tipPerGas, this.o.maxFeePerGas);
    if (!fees) {
      this.o.logger.warn(
        { nonce: slot.nonce, baseFee: sight.baseFee.toString() },
        'the fee cap keeps a transaction waiting',
      );
      return;
    }
    const intent =
      latest.carriesIntent && slot.intent ? { ...slot.intent, gasLimit: gasLimitOf(latest.raw) } : null;
    await this.addAttempt(slot, intent, fees, null);
  }

  /** The bytes can never be mined, and every later nonce waits for this one: a transfer of nothing takes their place. */
  private async burn(slot: Slot, error: RpcError, sight: Sight): Promise<void> {
    const previous = slot.attempts.at(-1)!.maxFeePerGas;
    const { tipPerGas, maxFeePerGas } = this.o;
    const fees =
      bumpedFees(previous, sight.baseFee, tipPerGas, maxFeePerGas) ??
      feesFor(sight.baseFee, tipPerGas, maxFeePerGas);
    const poison = { code: 'Refused', message: error.message.slice(0, 300), args: {} };
    await this.addAttempt(slot, null, fees, poison);
    slot.poison = poison;
    slot.refusals = 0;
  }

  private async addAttempt(
    slot: Slot,
    intent: Action | null,
    fees: Fees,
    poison: Revert | null,
  ): Promise<void> {
    const { session, clock } = this.o;
    const attempt = await this.sign(slot.nonce, intent, fees);
    const intentId = intent ? slot.intent!.id : null;
    await session.transaction(async (manager) => {
      await session.insertAttempt(manager, slot.nonce, intentId, attempt);
      if (poison) await session.setPoison(manager, slot.nonce, poison);
      if (intentId !== null)
        await this.o.onSigned({ id: intentId, txHash: attempt.hash, atMs: clock.now() }, manager);
    });
    slot.attempts.push(attempt);
    slot.preferredHash = null;
    slot.delivered = false;
    slot.sentAt = Number.NEGATIVE_INFINITY;
  }
}

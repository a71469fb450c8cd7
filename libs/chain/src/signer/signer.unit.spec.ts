import { devKey } from '@gridbourse/infra';
import { describe, expect, it } from '@jest/globals';
import { Transaction } from 'ethers';
import fc from 'fast-check';
import { RpcError, rpcUnavailable } from '../json-rpc.ts';
import { classifyEstimateError, classifySendError } from './send-errors.ts';
import { bumpedFees, feesFor, gasLimitOf, signTransaction } from './sign.ts';
import { localKey } from './types.ts';
import { WaitingRoom } from './waiting-room.ts';

const refusal = (message: string, code = -32_000): RpcError =>
  new RpcError('eth_sendRawTransaction', { code, message });

describe('a failed send', () => {
  it.each([
    ['already known', 'known'],
    ['transaction already imported', 'known'],
    ['nonce too low: next nonce 5, tx nonce 4', 'used'],
    ['nonce too high', 'gap'],
    ['replacement transaction underpriced', 'contended'],
    ['transaction underpriced', 'underpriced'],
    ['max fee per gas less than block base fee: address 0x…, maxFeePerGas: 1 baseFee: 2', 'underpriced'],
    ['insufficient funds for gas * price + value', 'unfunded'],
    ['context deadline exceeded', 'unclear'],
    ['intrinsic gas too low', 'refused'],
    ['exceeds block gas limit', 'refused'],
    ['the moon is in the wrong house', 'puzzling'],
  ])('with "%s" means %s', (message, meaning) => {
    expect(classifySendError(refusal(message))).toBe(meaning);
  });

  it('without an answer, or with the node in trouble, is unclear', () => {
    expect(classifySendError(rpcUnavailable('eth_sendRawTransaction', new Error('x')))).toBe('unclear');
    expect(classifySendError(refusal('oops', -32_603))).toBe('unclear');
    expect(() => classifySendError(new TypeError('a fault of ours'))).toThrow(TypeError);
  });
});

describe('a failed estimate', () => {
  it('is a revert, malformed, or no verdict', () => {
    expect(classifyEstimateError(refusal('execution reverted', 3))).toBe('reverts');
    expect(classifyEstimateError(refusal('execution reverted: custom error'))).toBe('reverts');
    expect(classifyEstimateError(refusal('invalid argument 0', -32_602))).toBe('malformed');
    expect(classifyEstimateError(refusal('header not found'))).toBe('unclear');
  });
});

describe('the waiting room', () => {
  const revert = refusal('execution reverted', 3);

  it('keeps an intent that would revert until all nonces before it are mined, and not longer', () => {
    const room = new WaitingRoom();
    expect(room.judge('a', revert, 5, 7)).toBe('wait');
    expect(room.waiting(6, 0)).toEqual(['a']);
    // Nonces given after it was first judged do not hold it back.
    expect(room.judge('a', revert, 7, 20)).toBe('wait');
    expect(room.waiting(8, 0)).toEqual([]);
    expect(room.judge('a', revert, 8, 20)).toBe('reverts');
    room.leave('a');
    expect(room.size).toBe(0);
  });

  it('refuses at once what waits for nothing', () => {
    expect(new WaitingRoom().judge('a', revert, 5, 4)).toBe('reverts');
  });

  it('lets one without a verdict be tried again after a while', () => {
    const room = new WaitingRoom();
    room.later('a', 100);
    expect(room.waiting(0, 99)).toEqual(['a']);
    expect(room.waiting(0, 100)).toEqual([]);
  });
});

describe('fees', () => {
  const anyFee = fc.bigInt({ min: 0n, max: 10n ** 12n });

  it('stay between one wei and the cap, the tip within them', () => {
    fc.assert(
      fc.property(anyFee, anyFee, fc.bigInt({ min: 1n, max: 10n ** 12n }), (baseFee, tip, cap) => {
        const fees = feesFor(baseFee, tip, cap);
        expect(fees.maxFeePerGas > 0n && fees.maxFeePerGas <= cap).toBe(true);
        expect(fees.maxPriorityFeePerGas <= fees.maxFeePerGas).toBe(true);
      }),
    );
  });

  it('of another attempt are a tenth higher at least, or there is none', () => {
    fc.assert(
      fc.property(anyFee, anyFee, fc.bigInt({ min: 1n, max: 10n ** 13n }), (previous, baseFee, cap) => {
        const fees = bumpedFees(previous, baseFee, 0n, cap);
        if (fees) expect(fees.maxFeePerGas * 10n >= previous * 11n && fees.maxFeePerGas <= cap).toBe(true);
        else expect((previous * 130n) / 100n + 1n > cap || baseFee * 2n > cap).toBe(true);
      }),
    );
  });
});

describe('signing', () => {
  const key = localKey(devKey(1).privateKey);
  const fees = { maxFeePerGas: 10n, maxPriorityFeePerGas: 0n };

  it('gives the same bytes for the same nonce, from the key, to the contract', async () => {
    const intent = { to: devKey(2).address, data: '0x1234', gasLimit: 99_000n };
    const wanted = { chainId: 31_337, nonce: 4, fees, intent };
    const [first, second] = [await signTransaction(key, wanted, 1), await signTransaction(key, wanted, 2)];
    expect(first.raw).toBe(second.raw);
    const read = Transaction.from(first.raw);
    expect(read).toMatchObject({ chainId: 31_337n, nonce: 4, data: '0x1234', value: 0n, hash: first.hash });
    expect(read.from?.toLowerCase()).toBe(key.address);
    expect(gasLimitOf(first.raw)).toBe(99_000n);
  });

  it('without an intent moves nothing, to itself', async () => {
    const burn = await signTransaction(key, { chainId: 1, nonce: 0, fees, intent: null }, 1);
    expect(burn.carriesIntent).toBe(false);
    const { to, value, data } = Transaction.from(burn.raw);
    expect({ to: to?.toLowerCase(), value, data }).toEqual({ to: key.address, value: 0n, data: '0x' });
  });

  it('never shows a bad key in its error', () => {
    const bad = '0x1234secret';
    expect(() => localKey(bad)).toThrow(expect.objectContaining({ code: 'invalid_key' }));
    try {
      localKey(bad);
    } catch (error) {
      expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain('1234secret');
    }
  });
});

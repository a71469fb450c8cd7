import { computeMarket, testUsdc } from '@gridbourse/chain';
import { DomainError, type Micros } from '@gridbourse/kernel';
import type { Escrow } from '@gridbourse/sdk';
import { JsonRpcProvider, Wallet } from 'ethers';
import { sendDurably } from './durable-send.ts';

const LOCAL_CHAIN_ID = 31_337;
const LIMIT_VALID_SECONDS = 365 * 24 * 3_600;

/** What the tenant allows the platform to lock for it, on chain. */
export type Limits = { maxRateMicrosPerHour: Micros; maxLockedMicros: Micros };

const open = (escrow: Escrow, privateKey: string): Wallet => {
  const provider = new JsonRpcProvider(escrow.chain.rpcUrl, escrow.chain.chainId, {
    staticNetwork: true,
    cacheTimeout: -1,
    batchMaxCount: 1,
  });
  return new Wallet(privateKey, provider);
};

/**
 * Puts test or real USDC of this wallet into the escrow. On the local chain the tokens are minted first.
 * @returns hashes of the transactions, in order
 */
export const deposit = async (escrow: Escrow, privateKey: string, amount: Micros): Promise<string[]> => {
  const wallet = open(escrow, privateKey);
  const usdc = testUsdc(escrow.chain.usdc, wallet);
  const market = computeMarket(escrow.chain.computeMarket, wallet);
  const hashes: string[] = [];
  const send = async (to: string, data: string): Promise<void> => {
    hashes.push((await sendDurably(wallet, { to, data })).hash);
  };
  try {
    if (escrow.chain.chainId === LOCAL_CHAIN_ID) {
      await send(escrow.chain.usdc, usdc.interface.encodeFunctionData('mint', [wallet.address, amount]));
    }
    await send(
      escrow.chain.usdc,
      usdc.interface.encodeFunctionData('approve', [escrow.chain.computeMarket, amount]),
    );
    await send(escrow.chain.computeMarket, market.interface.encodeFunctionData('deposit', [amount]));
    return hashes;
  } finally {
    wallet.provider?.destroy();
  }
};

/** The tenant's own bound on what may be locked in its name; nothing can be opened without it. */
export const setSpendingLimit = async (
  escrow: Escrow,
  privateKey: string,
  limits: Limits,
  nowMs: number,
): Promise<string> => {
  const wallet = open(escrow, privateKey);
  const market = computeMarket(escrow.chain.computeMarket, wallet);
  const data = market.interface.encodeFunctionData('setSpendingLimit', [
    limits.maxRateMicrosPerHour,
    limits.maxLockedMicros,
    BigInt(Math.floor(nowMs / 1_000) + LIMIT_VALID_SECONDS),
  ]);
  try {
    return (await sendDurably(wallet, { to: escrow.chain.computeMarket, data })).hash;
  } finally {
    wallet.provider?.destroy();
  }
};

/**
 * Lets a lease of this wallet run for longer: what that costs is locked from the free balance.
 * @returns the hash of the transaction
 */
export const extendLease = async (
  escrow: Escrow,
  privateKey: string,
  leaseKey: string,
  addedSeconds: number,
): Promise<string> => {
  const wallet = open(escrow, privateKey);
  const market = computeMarket(escrow.chain.computeMarket, wallet);
  const data = market.interface.encodeFunctionData('extendLease', [leaseKey, addedSeconds]);
  try {
    return (await sendDurably(wallet, { to: escrow.chain.computeMarket, data })).hash;
  } finally {
    wallet.provider?.destroy();
  }
};

/** @throws DomainError `no_wallet` */
export const demandPrivateKey = (privateKey: string | undefined): string => {
  const key = privateKey ?? process.env['GRIDBOURSE_PRIVATE_KEY'];
  if (key === undefined) {
    throw new DomainError(
      'invalid',
      'no_wallet',
      'this needs a wallet to sign with: set GRIDBOURSE_PRIVATE_KEY, or sign the deposit in your own wallet ("gridbourse escrow show" tells where to)',
    );
  }
  return key;
};

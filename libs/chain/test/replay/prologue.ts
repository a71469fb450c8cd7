import { id } from 'ethers';
import { MAX_UINT256 } from '../../src/model/amounts.ts';
import { type Operation, perform } from '../../src/model/model.ts';
import { newWorld, type World } from '../../src/model/world.ts';
import { deployment, eras, FUNDER, owners, payouts, START_SECONDS, tenants } from './cast.ts';
import { FOREVER } from './papers.ts';

const { market, registry, rewards } = deployment.addresses;
const MILLION_USDC = 10n ** 12n;
const afterSeconds = 0n;

const mint = (to: string, amount: bigint): Operation => ({
  contract: 'token',
  method: 'mint',
  sender: FUNDER,
  args: [to, amount],
  afterSeconds,
});
const approve = (sender: string, spender: string, amount: bigint): Operation => ({
  contract: 'token',
  method: 'approve',
  sender,
  args: [spender, amount],
  afterSeconds,
});

/** What every sequence finds: tokens, two providers, one tenant that has consented to anything, one with a deposit only. */
export const prologue: readonly Operation[] = [
  ...tenants.map((tenant) => mint(tenant, MILLION_USDC)),
  mint(tenants[0]!, 2n ** 64n),
  ...[...owners.slice(0, 2), FUNDER].map((account) => mint(account, MILLION_USDC)),
  approve(tenants[0]!, market, MAX_UINT256),
  approve(tenants[1]!, market, 2n * 10n ** 9n),
  approve(tenants[2]!, registry, MAX_UINT256),
  ...owners.slice(0, 2).map((owner) => approve(owner, registry, MAX_UINT256)),
  approve(FUNDER, rewards, MAX_UINT256),
  ...[0, 1].map((index): Operation => ({
    contract: 'registry',
    method: 'register',
    sender: owners[index]!,
    args: [payouts[index]!, id(`provider ${index}`)],
    afterSeconds,
  })),
  ...[0, 1].map((index): Operation => ({
    contract: 'market',
    method: 'deposit',
    sender: tenants[index]!,
    args: [10n ** 9n],
    afterSeconds,
  })),
  {
    contract: 'market',
    method: 'setSpendingLimit',
    sender: tenants[0]!,
    args: [2n ** 64n - 1n, 2n ** 64n - 1n, FOREVER],
    afterSeconds,
  },
  {
    contract: 'registry',
    method: 'stake',
    sender: owners[0]!,
    args: [1_000_000_001n],
    afterSeconds,
  },
  { contract: 'rewards', method: 'fund', sender: FUNDER, args: [eras[2]!, 5_000_000n], afterSeconds },
];

/** A world as each sequence finds it. */
export const worldAfterPrologue = (): World => {
  const world = newWorld(deployment, START_SECONDS);
  for (const operation of prologue) perform(world, operation);
  return world;
};

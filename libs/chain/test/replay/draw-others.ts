import { AbiCoder, id, keccak256 } from 'ethers';
import { MAX_AMOUNT_MICROS, MAX_UINT64 } from '../../src/model/amounts.ts';
import { eraOf } from '../../src/model/rewards.ts';
import { slashableOf } from '../../src/model/slashing.ts';
import { balanceOf } from '../../src/model/token.ts';
import {
  type Bytes32,
  contentOfReward,
  type Proof,
  type Reward,
  ZERO_ADDRESS,
  ZERO_BYTES32,
} from '../../src/model/values.ts';
import { type World } from '../../src/model/world.ts';
import {
  deployment,
  eras,
  everyone,
  FUNDER,
  owners,
  payouts,
  providerIds,
  tenants,
  TREASURY,
  UNKNOWN_PROVIDER,
} from './cast.ts';
import { type Dice } from './dice.ts';
import { amountAbout, type DrawnCall, mostly } from './draw-market.ts';
import { type Papers } from './papers.ts';

export type Tree = { readonly root: Bytes32; readonly leaves: readonly { reward: Reward; proof: Proof }[] };
/** What a sequence remembers: the trees whose roots it has posted. */
export type Memory = { readonly trees: Tree[] };
type Draw = (world: World, dice: Dice, papers: Papers, memory: Memory) => DrawnCall;
type Weighted = readonly (readonly [number, Draw])[];

const { roles, addresses } = deployment;
const provider = (dice: Dice): bigint => (dice.percent(4) ? UNKNOWN_PROVIDER : dice.pick(providerIds));
const stakeOf = (world: World, sender: string): { stake: bigint; thawing: bigint } =>
  world.registry.providers.get(world.registry.providerIdOf.get(sender) ?? 0n) ?? { stake: 0n, thawing: 0n };

export const registryDraws: Weighted = [
  [
    3,
    (world, dice) => {
      const free = owners.filter((owner) => !world.registry.providerIdOf.has(owner));
      const sender = free.length > 0 && dice.percent(85) ? dice.pick(free) : dice.pick(owners);
      const payout = dice.percent(6) ? ZERO_ADDRESS : dice.pick(payouts);
      return { contract: 'registry', method: 'register', sender, args: [payout, id(sender)] };
    },
  ],
  [
    2,
    (_world, dice) => ({
      contract: 'registry',
      method: 'setPayout',
      sender: dice.pick(owners),
      args: [dice.percent(8) ? ZERO_ADDRESS : dice.pick([...payouts, ...tenants])],
    }),
  ],
  [
    1,
    (_world, dice) => ({
      contract: 'registry',
      method: 'setMetadata',
      sender: dice.pick(owners),
      args: [id(String(dice.below(100)))],
    }),
  ],
  [
    9,
    (world, dice) => {
      const sender = mostly(dice, dice.pick(owners));
      const bound = balanceOf(world, sender) & MAX_AMOUNT_MICROS;
      const amount = dice.percent(70) ? 1n + dice.upTo(1_000_000_000n) : amountAbout(dice, bound);
      return { contract: 'registry', method: 'stake', sender, args: [amount] };
    },
  ],
  [
    8,
    (world, dice) => {
      const sender = mostly(dice, dice.pick(owners));
      const amount = amountAbout(dice, stakeOf(world, sender).stake);
      return { contract: 'registry', method: 'requestUnstake', sender, args: [amount] };
    },
  ],
  [
    9,
    (world, dice) => {
      const thawing = owners.filter((owner) => stakeOf(world, owner).thawing > 0n);
      const sender = mostly(dice, dice.pick(thawing.length > 0 ? thawing : owners));
      return { contract: 'registry', method: 'withdrawUnstaked', sender, args: [] };
    },
  ],
  [
    1,
    (_world, dice) => ({
      contract: 'registry',
      method: 'setTier',
      sender: mostly(dice, roles.TIER_ROLE.holder),
      args: [provider(dice), BigInt(dice.below(9))],
    }),
  ],
  [
    2,
    (_world, dice) => ({
      contract: 'registry',
      method: 'setSuspended',
      sender: mostly(dice, roles.SUSPENDER_ROLE.holder),
      args: [provider(dice), dice.percent(40), id('reason')],
    }),
  ],
  [
    10,
    (world, dice) => {
      const providerId = provider(dice);
      const known = world.registry.providers.get(providerId);
      const bound = known ? slashableOf(world, known).amount : 1_000n;
      const amount = amountAbout(dice, dice.percent(25) ? bound * 4n : bound) & MAX_UINT64;
      const compensation = dice.percent(30)
        ? 0n
        : dice.percent(90)
          ? dice.upTo(amount)
          : (amount + 1n) & MAX_UINT64;
      const tenant = dice.percent(15) ? ZERO_ADDRESS : dice.pick(tenants);
      return {
        contract: 'registry',
        method: 'proposeSlash',
        sender: mostly(dice, roles.SLASHER_ROLE.holder),
        args: [providerId, amount, tenant, compensation, dice.percent(4) ? ZERO_BYTES32 : id('evidence')],
      };
    },
  ],
  [
    2,
    (world, dice) => ({
      contract: 'registry',
      method: 'cancelSlash',
      sender: mostly(dice, roles.DISPUTE_ROLE.holder),
      args: [BigInt(dice.below(world.registry.slashes.size + 2)), id('reason')],
    }),
  ],
  [
    10,
    (world, dice) => {
      const pending = [...world.registry.slashes].filter(([, { state }]) => state === 'pending');
      const slashId =
        pending.length > 0 && dice.percent(90)
          ? dice.pick(pending)[0]
          : BigInt(dice.below(world.registry.slashes.size + 2));
      return { contract: 'registry', method: 'executeSlash', sender: dice.pick(everyone), args: [slashId] };
    },
  ],
  [
    3,
    (_world, dice) => ({
      contract: 'registry',
      method: 'withdrawCredit',
      sender: dice.pick([...tenants, TREASURY]),
      args: [],
    }),
  ],
];

const coder = AbiCoder.defaultAbiCoder();
const leafHash = ({ era, providerId, previous, cumulative }: Reward): Bytes32 =>
  keccak256(
    keccak256(
      coder.encode(['uint32', 'uint32', 'uint64', 'uint64'], [era, providerId, previous, cumulative]),
    ),
  );
const pairHash = (a: Bytes32, b: Bytes32): Bytes32 => keccak256(a < b ? a + b.slice(2) : b + a.slice(2));

/** A tree of one or two rewards of an era, which it mostly has the pool for. */
const drawTree = (world: World, dice: Dice, era: bigint): Tree => {
  const { pool } = eraOf(world, era);
  const first = dice.pick(providerIds);
  const others = providerIds.filter((id_) => id_ !== first);
  const rewards = [first, ...(dice.percent(60) ? [dice.pick(others)] : [])].map((providerId): Reward => {
    const claimed = world.rewards.claimed.get(providerId) ?? 0n;
    const previous = dice.percent(70) ? claimed : dice.about(claimed);
    const added = dice.percent(80) ? dice.upTo(pool) : dice.about(pool);
    return {
      era,
      providerId,
      previous,
      cumulative: dice.percent(90) ? claimed + added : dice.about(claimed),
    };
  });
  const hashes = rewards.map(leafHash);
  const root = hashes.length === 1 ? hashes[0]! : pairHash(hashes[0]!, hashes[1]!);
  const leaves = rewards.map((reward, index) => {
    const siblings = hashes.filter((_, other) => other !== index);
    return { reward, proof: { root, leaf: contentOfReward(reward), siblings } };
  });
  return { root, leaves };
};

export const rewardDraws: Weighted = [
  [
    8,
    (world, dice) => {
      const era = dice.percent(60) ? world.nowSeconds / deployment.eraSeconds : dice.pick(eras);
      const amount = dice.percent(85)
        ? 1n + dice.upTo(10_000_000n)
        : amountAbout(dice, balanceOf(world, FUNDER));
      return { contract: 'rewards', method: 'fund', sender: mostly(dice, FUNDER), args: [era, amount] };
    },
  ],
  [
    10,
    (world, dice, _papers, memory) => {
      const funded = [...world.rewards.eras.keys()].filter((era) => eraOf(world, era).root === ZERO_BYTES32);
      const era = funded.length > 0 && dice.percent(80) ? dice.pick(funded) : dice.pick(eras);
      const tree = drawTree(world, dice, era);
      memory.trees.push(tree);
      return {
        contract: 'rewards',
        method: 'postRoot',
        sender: mostly(dice, roles.POSTER_ROLE.holder),
        args: [era, dice.percent(4) ? ZERO_BYTES32 : tree.root],
      };
    },
  ],
  [
    2,
    (_world, dice) => ({
      contract: 'rewards',
      method: 'disputeRoot',
      sender: mostly(dice, roles.DISPUTE_ROLE.holder),
      args: [dice.pick(eras), id('reason')],
    }),
  ],
  [
    16,
    (world, dice, _papers, memory) => {
      const era = dice.pick(eras);
      const tree = memory.trees.length > 0 ? dice.pick(memory.trees) : drawTree(world, dice, era);
      const { reward, proof } = dice.pick(tree.leaves);
      const asked = dice.percent(92) ? reward : { ...reward, cumulative: reward.cumulative + 1n };
      const known = world.registry.providers.get(reward.providerId);
      const party = known && dice.percent(50) ? known.owner : (known?.payout ?? dice.pick(everyone));
      return { contract: 'rewards', method: 'claim', sender: mostly(dice, party), args: [asked, proof] };
    },
  ],
  [
    3,
    (_world, dice) => ({
      contract: 'rewards',
      method: 'rollOver',
      sender: dice.pick(everyone),
      args: [dice.pick(eras.slice(0, 5))],
    }),
  ],
];

export const tokenDraws: Weighted = [
  [
    3,
    (_world, dice) => ({
      contract: 'token',
      method: 'mint',
      sender: dice.pick(everyone),
      args: [dice.pick([...tenants, ...owners]), dice.upTo(10n ** 12n)],
    }),
  ],
  [
    4,
    (world, dice) => {
      const sender = dice.pick([...tenants, ...owners]);
      const spender = dice.pick([addresses.market, addresses.registry, addresses.rewards]);
      return {
        contract: 'token',
        method: 'approve',
        sender,
        args: [spender, amountAbout(dice, balanceOf(world, sender))],
      };
    },
  ],
  [
    3,
    (world, dice) => {
      const sender = dice.pick([...tenants, ...owners, ...payouts]);
      const to = dice.pick([...tenants, addresses.market, addresses.registry, addresses.rewards]);
      return {
        contract: 'token',
        method: 'transfer',
        sender,
        args: [to, amountAbout(dice, balanceOf(world, sender))],
      };
    },
  ],
];

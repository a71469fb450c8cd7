import { seededRandom } from '@gridbourse/kernel';
import { type Operation, perform } from '../../src/model/model.ts';
import { type Address } from '../../src/model/values.ts';
import { type PausableContract, type World } from '../../src/model/world.ts';
import { deployment } from './cast.ts';
import { Dice } from './dice.ts';
import {
  type DrawnCall,
  hasOpenLease,
  leaseTimes,
  marketDraws,
  mostly,
  openingDraws,
} from './draw-market.ts';
import { type Memory, registryDraws, rewardDraws, tokenDraws } from './draw-others.ts';
import { type Papers } from './papers.ts';
import { worldAfterPrologue } from './prologue.ts';

const MOST_CALLS = 36;
const FEWEST_CALLS = 6;
const HOUR = 3_600;
const DAY = 24 * HOUR;
/** So many of a hundred calls that would be refused are sent all the same. */
const REFUSALS_KEPT = 22;
/** The tape has four bytes for it. */
const MOST_SECONDS = 400n * BigInt(DAY);

type Draw = (world: World, dice: Dice, papers: Papers, memory: Memory) => DrawnCall;
const PAUSER = deployment.roles.PAUSER_ROLE.holder;

const draws: Readonly<Record<Operation['contract'], readonly (readonly [number, Draw])[]>> = {
  token: tokenDraws,
  market: marketDraws,
  registry: registryDraws,
  rewards: rewardDraws,
};

/** What a sequence is mostly about. */
const THEMES: readonly (readonly [number, readonly (readonly [number, Operation['contract']])[]])[] = [
  [
    56,
    [
      [22, 'market'],
      [1, 'token'],
      [1, 'registry'],
    ],
  ],
  [
    20,
    [
      [22, 'registry'],
      [1, 'token'],
    ],
  ],
  [
    12,
    [
      [22, 'rewards'],
      [1, 'token'],
      [1, 'registry'],
    ],
  ],
  [
    12,
    [
      [8, 'market'],
      [5, 'registry'],
      [4, 'rewards'],
      [1, 'token'],
    ],
  ],
];

const pausing = (contract: PausableContract, method: 'pause' | 'unpause', sender: Address): DrawnCall => ({
  contract,
  method,
  sender,
  args: [],
});

const call = (
  world: World,
  dice: Dice,
  papers: Papers,
  memory: Memory,
  theme: (typeof THEMES)[number][1],
): DrawnCall => {
  const contract = dice.weighted(theme);
  if (contract !== 'token') {
    const { paused } = world[contract];
    if (dice.percent(paused ? 25 : 2)) {
      const method = dice.percent(95) === paused ? 'unpause' : 'pause';
      return pausing(contract, method, mostly(dice, PAUSER));
    }
  }
  // A market without leases has little to say.
  const choices =
    contract === 'market' && dice.percent(hasOpenLease(world) ? 8 : 45) ? openingDraws : draws[contract];
  return dice.weighted(choices)(world, dice, papers, memory);
};

/** Seconds at which some rule changes its answer. */
const turningPoints = (world: World): bigint[] => {
  const { executionSeconds, eraSeconds, claimSeconds } = deployment;
  const era = world.nowSeconds / eraSeconds;
  return [
    ...leaseTimes(world),
    ...[...world.market.limits.values()].map(({ validUntil }) => validUntil + 1n),
    ...[...world.registry.providers.values()].flatMap(({ thawedAt, heldUntil }) => [thawedAt, heldUntil]),
    ...[...world.registry.slashes.values()].flatMap(({ state, executableAt }) =>
      state === 'pending' ? [executableAt, executableAt + executionSeconds] : [],
    ),
    ...[...world.rewards.eras].flatMap(([funded, { claimableAt }]) => [
      claimableAt,
      (funded + 1n) * eraSeconds + claimSeconds,
    ]),
    (era + 1n) * eraSeconds,
  ].filter((at) => at > world.nowSeconds + 1n && at < world.nowSeconds + MOST_SECONDS);
};

/** Most rules turn within days; after a leap of a year little is left to do. */
const SOON_SECONDS = 8n * BigInt(DAY);
const nextPoints = (world: World, dice: Dice): bigint[] => {
  const points = turningPoints(world);
  return dice.percent(4) ? points : points.filter((at) => at < world.nowSeconds + SOON_SECONDS);
};

const wait = (world: World, dice: Dice): bigint => {
  if (dice.percent(52)) return 0n;
  const points = nextPoints(world, dice);
  if (points.length > 0 && dice.percent(40)) {
    return dice.pick(points) - world.nowSeconds + BigInt(dice.pick([0, 0, 1, -1]));
  }
  return BigInt(dice.pick([1, 59, 60, 61, 1_799, HOUR - 1, HOUR, HOUR + 1, 5 * HOUR, DAY, DAY, 3 * DAY]));
};

/** The calls of one sequence; the same for the same numbers. */
export const drawSequence = (seed: number, papers: Papers): Operation[] => {
  const dice = new Dice(seededRandom(seed));
  const world = worldAfterPrologue();
  const memory: Memory = { trees: [] };
  const theme = dice.weighted(THEMES);
  const length = FEWEST_CALLS + dice.below(MOST_CALLS - FEWEST_CALLS + 1);
  return Array.from({ length }, () => {
    const afterSeconds = wait(world, dice);
    // What is drawn fits the second in which it will be sent.
    world.nowSeconds += afterSeconds;
    for (;;) {
      const drawn = call(world, dice, papers, memory, theme);
      const outcome = perform(world, { ...drawn, afterSeconds: 0n });
      // Refused, it has changed nothing. Most of a sequence should do something.
      if ('effect' in outcome || dice.percent(REFUSALS_KEPT)) return { ...drawn, afterSeconds };
    }
  });
};

/** Seeds of a run's sequences: no two are the same. */
export const seedOf = (runSeed: number, index: number): number =>
  (runSeed + Math.imul(index, 0x9e3779b1)) >>> 0;

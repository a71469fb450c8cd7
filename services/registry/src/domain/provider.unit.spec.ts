import { canMove, fold, type OfferId, type ProviderId } from '@gridbourse/kernel';
import { given } from '@gridbourse/testing';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { NodeCapacity } from './inventory.ts';
import type { OfferContent } from './offer-content.ts';
import type { RegistryProviderEvent } from './private-events.ts';
import { NO_PROVIDER, PROVIDER_TRANSITIONS, type ProviderState, statusOf } from './provider-state.ts';
import { provider, type ProviderCommand } from './provider.ts';
import { DEFAULT_TIERS } from './tiers.ts';

const providerId = 'prv_00000000000000000000000001' as ProviderId;
const offerId = 'off_00000000000000000000000001' as OfferId;
const register: ProviderCommand = {
  type: 'Register',
  providerId,
  accountId: 'acc_00000000000000000000000001',
  wallet: `0x${'a'.repeat(40)}`,
  name: 'North',
  place: { region: 'eu-north', country: 'FI', city: 'Helsinki', location: { latitude: 60, longitude: 25 } },
  attributes: {},
  atMs: 1,
};
const seeStake = (stakeMicros: bigint, retracted = false): ProviderCommand => ({
  type: 'SeeStake',
  chainProviderId: 7,
  stakeMicros,
  minStakeMicros: 100n,
  retracted,
  atMs: 2,
});
const content: OfferContent = {
  label: 'a',
  gpu: { model: 'h100', vendor: 'nvidia', vramMiB: 81_920, interface: 'sxm', sharing: { mode: 'whole' } },
  nodes: [{ name: 'n1', gpus: 8, cpuMillis: 32_000, memoryMiB: 100_000, storageMiB: 500_000 }],
  price: { perGpu: 2_000_000n, perCpuCore: 0n, perMemoryGiB: 0n, perStorageGiB: 0n },
  policy: { autoAccept: true, minDurationSeconds: 0, maxDurationSeconds: 3_600 },
  storageClasses: ['default'],
  interconnect: 'ethernet',
};
const capacity = (gpus: number | null): ReadonlyMap<string, NodeCapacity> =>
  new Map([
    [
      'n1',
      { gpuModel: 'h100', gpuSharing: 'whole', gpus, cpuMillis: null, memoryMiB: null, storageMiB: null },
    ],
  ]);
const declare = (changed: Partial<OfferContent> = {}): ProviderCommand => ({
  type: 'DeclareOffer',
  offerId,
  content: { ...content, ...changed },
  capacities: new Map(),
  atMs: 3,
});

/** The events of a list of commands, each decided on what came of those before. */
const history = (...commands: ProviderCommand[]): RegistryProviderEvent[] => {
  let state: ProviderState = NO_PROVIDER;
  const events: RegistryProviderEvent[] = [];
  for (const command of commands) {
    const decided = provider.decide(command, state);
    state = fold(provider.evolve, state, decided);
    events.push(...decided);
  }
  return events;
};
const typesAfter = (past: ProviderCommand[], command: ProviderCommand): string[] =>
  provider.decide(command, fold(provider.evolve, NO_PROVIDER, history(...past))).map((event) => event.type);

const hear: ProviderCommand = { type: 'HearHeartbeat', atMs: 5 };
const miss: ProviderCommand = { type: 'MissHeartbeats', lastSeenAtMs: 5, atMs: 6 };
const giveUp: ProviderCommand = { type: 'GiveUp', lastSeenAtMs: 5, atMs: 7 };

describe('registration and stake', () => {
  it('is registered once', () => {
    expect(typesAfter([], register)).toEqual(['ProviderRegistered']);
    expect(typesAfter([register], register)).toEqual([]);
    given(provider, []).when(hear).thenRejected('provider_not_found');
  });

  it('is activated when the stake reaches the minimum, once', () => {
    expect(typesAfter([register], seeStake(99n))).toEqual(['StakeSeen']);
    expect(typesAfter([register], seeStake(100n))).toEqual(['StakeSeen', 'ProviderActivated']);
    expect(typesAfter([register, seeStake(100n)], seeStake(100n))).toEqual([]);
    expect(typesAfter([register, seeStake(100n)], seeStake(200n))).toEqual(['StakeSeen']);
  });

  it('loses it when the stake falls, or when its block is gone', () => {
    const fallen = history(register, seeStake(100n), seeStake(10n)).at(-1);
    expect(fallen).toMatchObject({ type: 'ProviderDeactivated', reason: 'stake_below_minimum' });
    const retracted = history(register, seeStake(100n), seeStake(0n, true)).at(-1);
    expect(retracted).toMatchObject({
      type: 'ProviderDeactivated',
      reason: 'stake_retracted',
      stakeMicros: 0n,
    });
  });
});

describe('liveness', () => {
  it('tells changes only, and never skips a step', () => {
    expect(typesAfter([register], hear)).toEqual(['ProviderOnline']);
    expect(typesAfter([register, hear], hear)).toEqual([]);
    expect(typesAfter([register, hear], giveUp)).toEqual([]);
    expect(typesAfter([register, hear], miss)).toEqual(['ProviderUnreachable']);
    expect(typesAfter([register, hear, miss], giveUp)).toEqual(['ProviderOffline']);
    expect(typesAfter([register, hear, miss, giveUp], hear)).toEqual(['ProviderOnline']);
    expect(typesAfter([register], miss)).toEqual([]);
  });

  it('moves between states as the table says, whatever happens', () => {
    const commands = fc.constantFrom<ProviderCommand>(
      seeStake(100n),
      seeStake(1n),
      hear,
      miss,
      giveUp,
      { type: 'Suspend', reason: 'hardware proof failed', atMs: 8 },
      { type: 'Reinstate', atMs: 9 },
    );
    fc.assert(
      fc.property(fc.array(commands, { maxLength: 40 }), (list) => {
        let state = fold(provider.evolve, NO_PROVIDER, history(register));
        for (const command of list) {
          if (command.type === 'Reinstate' && !state.suspended) continue;
          const next = fold(provider.evolve, state, provider.decide(command, state));
          const [from, to] = [statusOf(state), statusOf(next)];
          if (from !== to) expect(canMove(PROVIDER_TRANSITIONS, from, to)).toBe(true);
          expect(statusOf(next) === 'active').toBe(
            next.staked && !next.suspended && next.liveness === 'online',
          );
          state = next;
        }
      }),
    );
  });

  it('an operator suspends and reinstates', () => {
    given(provider, history(register))
      .when({ type: 'Reinstate', atMs: 1 })
      .thenRejected('provider_not_suspended');
    const suspend: ProviderCommand = { type: 'Suspend', reason: 'x', atMs: 1 };
    expect(typesAfter([register, suspend], suspend)).toEqual([]);
    expect(typesAfter([register, suspend], { type: 'Reinstate', atMs: 2 })).toEqual(['ProviderReinstated']);
  });
});

describe('offers', () => {
  it('are published anew only when they change, with a higher revision', () => {
    expect(history(register, declare()).at(-1)).toMatchObject({
      type: 'OfferPublished',
      revision: 1,
      nodes: content.nodes,
    });
    expect(typesAfter([register, declare()], declare())).toEqual([]);
    expect(history(register, declare(), declare({ storageClasses: [] })).at(-1)).toMatchObject({
      revision: 2,
      storageClasses: [],
    });
  });

  it('shrink at once with what the cluster can give, and grow back to what was declared', () => {
    const see = (gpus: number | null): ProviderCommand => ({
      type: 'SeeCapacities',
      capacities: capacity(gpus),
      atMs: 4,
    });
    expect(history(register, declare(), see(6)).at(-1)).toMatchObject({ revision: 2, nodes: [{ gpus: 6 }] });
    expect(typesAfter([register, declare(), see(6)], see(6))).toEqual([]);
    expect(history(register, declare(), see(6), see(16)).at(-1)).toMatchObject({
      revision: 3,
      nodes: [{ gpus: 8 }],
    });
    expect(typesAfter([register, declare()], see(null))).toEqual([]);
    expect(typesAfter([register, declare(), see(6)], see(null))).toEqual([]);
    expect(
      typesAfter([register, declare(), see(6)], { type: 'SeeCapacities', capacities: new Map(), atMs: 4 }),
    ).toEqual([]);
    expect(typesAfter([register, declare(), see(6)], declare())).toEqual([]);
  });

  it('are withdrawn, and may come back with a higher revision', () => {
    const withdraw: ProviderCommand = { type: 'WithdrawOffer', offerId, reason: 'provider', atMs: 5 };
    expect(typesAfter([register, declare()], withdraw)).toEqual(['OfferWithdrawn']);
    expect(typesAfter([register, declare(), withdraw], withdraw)).toEqual([]);
    expect(history(register, declare(), withdraw, declare()).at(-1)).toMatchObject({
      type: 'OfferPublished',
      revision: 2,
    });
    given(provider, history(register)).when(withdraw).thenRejected('offer_not_found');
    const see: ProviderCommand = { type: 'SeeCapacities', capacities: capacity(1), atMs: 4 };
    expect(typesAfter([register, declare(), withdraw], see)).toEqual([]);
  });

  const machine = (name: string, gpus = 8) => ({ ...content.nodes[0]!, name, gpus });
  const another = 'off_00000000000000000000000002' as OfferId;
  const declareOther = (changed: Partial<OfferContent> = {}): ProviderCommand => ({
    ...(declare(changed) as Extract<ProviderCommand, { type: 'DeclareOffer' }>),
    offerId: another,
  });

  it('lose a machine to the offer that names it next, in the same decision', () => {
    const nodes = [machine('n1'), machine('n2')];
    const see: ProviderCommand = { type: 'SeeCapacities', capacities: capacity(6), atMs: 4 };
    const past = history(register, declare({ nodes }), see);
    const both = history(register, declare({ nodes }), see, declareOther({ nodes: [machine('n2')] }));
    expect(both.slice(past.length)).toMatchObject([
      { type: 'OfferDeclared', offerId, nodes: [machine('n1')] },
      { type: 'OfferPublished', offerId, revision: 3, nodes: [machine('n1', 6)] },
      { type: 'OfferDeclared', offerId: another },
      { type: 'OfferPublished', offerId: another, revision: 1, nodes: [machine('n2')] },
    ]);
    // It is the same as if the first had been declared without it; and it may come back.
    const moved = [register, declare({ nodes }), declareOther({ nodes: [machine('n2')] })];
    expect(typesAfter(moved, declare({ nodes: [machine('n1')] }))).toEqual([]);
    expect(history(...moved, declare({ nodes })).slice(-3)).toMatchObject([
      { type: 'OfferWithdrawn', offerId: another, reason: `its machines are in offer ${offerId} now` },
      { type: 'OfferDeclared', offerId },
      { type: 'OfferPublished', offerId, nodes },
    ]);
  });

  it('end where no machine with a GPU is left', () => {
    const nodes = [machine('n1'), machine('n2', 0)];
    const types = typesAfter([register, declare({ nodes })], declareOther());
    expect(types).toEqual(['OfferWithdrawn', 'OfferDeclared', 'OfferPublished']);
    const plain = typesAfter([register, declare({ nodes, gpu: null })], declareOther());
    expect(plain).toEqual(['OfferDeclared', 'OfferPublished', 'OfferDeclared', 'OfferPublished']);
  });

  it('never have a machine in common, in whatever order they are declared', () => {
    const ids = Array.from({ length: 4 }, (_, n): OfferId => `off_${String(n).padStart(26, '0')}`);
    const aDeclaration = fc.record({
      at: fc.nat(3),
      names: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1 }),
      withdraw: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(aDeclaration, { maxLength: 15 }), (declarations) => {
        let state = fold(provider.evolve, NO_PROVIDER, history(register));
        for (const { at, names, withdraw } of declarations) {
          const known = state.offers.has(ids[at]!);
          const command: ProviderCommand =
            withdraw && known
              ? { type: 'WithdrawOffer', offerId: ids[at]!, reason: 'test', atMs: 4 }
              : {
                  type: 'DeclareOffer',
                  offerId: ids[at]!,
                  content: { ...content, nodes: names.map((name) => machine(name)) },
                  capacities: new Map(),
                  atMs: 3,
                };
          state = fold(provider.evolve, state, provider.decide(command, state));
          const live = [...state.offers.values()].filter(({ withdrawn }) => !withdrawn);
          const machines = live.flatMap(({ sellable }) => sellable.map(({ name }) => name));
          expect(new Set(machines).size).toBe(machines.length);
          for (const { content: said, sellable } of live) expect(sellable).toEqual(said.nodes);
          if (command.type === 'DeclareOffer')
            expect(state.offers.get(ids[at]!)!.sellable.map(({ name }) => name)).toEqual(names);
        }
      }),
    );
  });
});

describe('eras', () => {
  const close = (era: number, answered: number): ProviderCommand => ({
    type: 'CloseEra',
    era,
    result: { challengesSent: 100, challengesAnswered: answered, responseP95Ms: 50 },
    rules: DEFAULT_TIERS,
    atMs: 10,
  });

  it('are closed once, in order', () => {
    expect(typesAfter([register], close(5, 100))).toEqual(['EraClosed', 'StandingCounted']);
    expect(typesAfter([register, close(5, 100)], close(5, 0))).toEqual([]);
    expect(typesAfter([register, close(5, 100)], close(4, 0))).toEqual([]);
  });

  it('change the tier after the waiting eras', () => {
    const eras = Array.from({ length: 17 }, (_, n) => close(n, 100));
    expect(history(register, ...eras).at(-1)).toMatchObject({ type: 'TierChanged', from: 4, to: 3 });
    expect(history(register, ...eras.slice(1)).some((event) => event.type === 'TierChanged')).toBe(false);
  });
});

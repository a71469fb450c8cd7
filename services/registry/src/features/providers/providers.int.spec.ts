import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { open } from '@gridbourse/sealing';
import type { SealedBox } from '@gridbourse/events';
import { eventually } from '@gridbourse/testing';
import { Wallet } from 'ethers';
import {
  offerBody,
  providerBody,
  RegistryUnderTest,
  type SignedIn,
} from '../../../test/registry-under-test.ts';
import { registryCatalogue, type RegistryProviderEvent } from '../../domain/private-events.ts';
import { projectProvider } from '../../read-models/provider.projection.ts';

// Real here: the service, Postgres, the bus, HTTP, sealing. Made up: the clock and what the chain says.

type Provider = {
  providerId: string;
  state: string;
  chainProviderId: number | null;
  stake: { micros: string };
};
type Offer = { offerId: string; revision: number; gpusTotal: number; state: string; saving: number | null };

const operator = Wallet.createRandom();
let registry: RegistryUnderTest;
let serial = 0;

const kubeconfig = (token: string): string => `
apiVersion: v1
kind: Config
current-context: main
contexts: [{ name: main, context: { cluster: here, user: me } }]
clusters: [{ name: here, cluster: { server: "https://10.1.2.3:6443" } }]
users: [{ name: me, user: { token: ${token} } }]
`;

const onboard = async (): Promise<SignedIn & { providerId: string }> => {
  const signedIn = await registry.signIn();
  serial += 1;
  const { body } = await registry.call<Provider>('POST', '/v1/providers', {
    token: signedIn.token,
    body: providerBody(`Provider ${serial}`),
  });
  return { ...signedIn, providerId: body.providerId };
};

const show = async (providerId: string): Promise<Provider> =>
  (await registry.call<Provider>('GET', `/v1/providers/${providerId}`)).body;

const stakeLog = (wallet: { address: string }, stakeMicros: number, chainProviderId = 1) => ({
  name: 'StakeChanged',
  chainProviderId,
  owner: wallet.address.toLowerCase(),
  stakeMicros: String(stakeMicros),
});

beforeAll(async () => {
  registry = await RegistryUnderTest.start({ operatorWallets: [operator.address.toLowerCase()] });
});
afterAll(() => registry.close());

describe('registration', () => {
  it('makes a wallet one provider, however often it is asked for', async () => {
    const { token, accountId } = await registry.signIn();
    const body = providerBody('North');
    const first = await registry.call<Provider>('POST', '/v1/providers', { token, body });
    expect(first).toMatchObject({
      status: 201,
      body: {
        name: 'North',
        state: 'registered',
        tier: 4,
        place: { country: 'FI' },
        chainProviderId: null,
        lastSeenAt: null,
      },
    });
    const again = await registry.call<Provider>('POST', '/v1/providers', { token, body });
    expect(again.status).toBe(200);
    expect(again.body).toEqual(first.body);
    const both = await Promise.all(
      [1, 2].map(() => registry.call<Provider>('POST', '/v1/providers', { token, body })),
    );
    expect(new Set(both.map((answer) => answer.body.providerId))).toEqual(new Set([first.body.providerId]));
    await eventually(() => expect(registry.typesOf(first.body.providerId)).toEqual(['ProviderRegistered']));
    expect(registry.eventsOf(first.body.providerId)[0]).toMatchObject({ accountId });
    // Anybody may look; nobody learns the wallet.
    expect(await show(first.body.providerId)).toEqual(first.body);
    expect(first.body).not.toHaveProperty('wallet');
  });

  it('tells what is wrong and where, and changes nothing', async () => {
    const { token } = await registry.signIn();
    const place = {
      country: 'Atlantis',
      city: '',
      location: { latitude: 0, longitude: 0 },
      region: 'the-moon',
    };
    const answer = await registry.call('POST', '/v1/providers', {
      token,
      body: { ...providerBody('X'), place },
    });
    expect(answer).toMatchObject({
      status: 422,
      body: { code: 'invalid_place', errors: [{ pointer: '/place/country' }, { pointer: '/place/region' }] },
    });
    const far = { country: 'FI', location: { latitude: 91, longitude: 0 } };
    expect(
      await registry.call('POST', '/v1/providers', { token, body: { ...providerBody('X'), place: far } }),
    ).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/place/location/latitude' }] },
    });
    expect((await registry.call('POST', '/v1/providers', { body: providerBody('X') })).status).toBe(401);
    expect((await registry.call('GET', '/v1/providers/prv_00000000000000000000000000')).status).toBe(404);
  });

  it('is listed in pages', async () => {
    for (let n = 0; n < 3; n += 1) await onboard();
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const { body }: { body: { items: Provider[]; nextCursor: string | null } } = await registry.call(
        'GET',
        `/v1/providers?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      seen.push(...body.items.map((item) => item.providerId));
      cursor = body.nextCursor;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.length).toBeGreaterThanOrEqual(3);
  });
});

describe('stake', () => {
  it('activates a provider that is known, and deactivates it when the block is retracted', async () => {
    const { providerId, wallet } = await onboard();
    await registry.chainEvent('ChainEventObserved', stakeLog(wallet, 999_999), 1);
    await registry.chainEvent('ChainEventObserved', stakeLog(wallet, 1_000_000), 2);
    await eventually(async () =>
      expect(await show(providerId)).toMatchObject({ chainProviderId: 1, stake: { micros: '1000000' } }),
    );
    await registry.chainEvent('ChainEventRetracted', stakeLog(wallet, 1_000_000), 2);
    await eventually(() =>
      expect(registry.typesOf(providerId)).toEqual([
        'ProviderRegistered',
        'ProviderActivated',
        'ProviderDeactivated',
      ]),
    );
    expect(registry.eventsOf(providerId).at(-1)).toMatchObject({
      reason: 'stake_retracted',
      stakeMicros: 999_999n,
    });
    await registry.chainEvent('ChainEventObserved', stakeLog(wallet, 5_000_000), 3);
    await registry.chainEvent('ChainEventFinalized', stakeLog(wallet, 5_000_000), 3);
    await eventually(() => expect(registry.typesOf(providerId).at(-1)).toBe('ProviderActivated'));
    await eventually(async () => {
      const rows = await registry.dataSource.query<unknown[]>('SELECT 1 FROM chain_stakes WHERE owner = $1', [
        wallet.address.toLowerCase(),
      ]);
      expect(rows).toHaveLength(1);
    });
  });

  it('counts also when it comes before the registration', async () => {
    const early = Wallet.createRandom();
    await registry.chainEvent('ChainEventObserved', stakeLog(early, 2_000_000, 9), 4);
    await eventually(async () => {
      const rows = await registry.dataSource.query<unknown[]>('SELECT 1 FROM chain_stakes WHERE owner = $1', [
        early.address.toLowerCase(),
      ]);
      expect(rows).toHaveLength(1);
    });
    const { token } = await registry.signIn(early);
    const { body } = await registry.call<Provider>('POST', '/v1/providers', {
      token,
      body: providerBody('Early'),
    });
    expect(body).toMatchObject({ chainProviderId: 9, stake: { micros: '2000000' } });
    await eventually(() =>
      expect(registry.typesOf(body.providerId)).toEqual(['ProviderRegistered', 'ProviderActivated']),
    );
  });

  it('shows the chain id of a provider that registered on chain without stake', async () => {
    const { providerId, wallet } = await onboard();
    const owner = wallet.address.toLowerCase();
    await registry.chainEvent(
      'ChainEventObserved',
      { name: 'ProviderRegistered', chainProviderId: 12, owner, payout: owner },
      5,
    );
    await eventually(async () =>
      expect(await show(providerId)).toMatchObject({ chainProviderId: 12, state: 'registered' }),
    );
  });
});

describe('the cluster', () => {
  const attach = (id: string, token: string, text: string) =>
    registry.call('PUT', `/v1/providers/${id}/cluster`, { token, body: { kubeconfig: text } });
  const attached = (id: string) =>
    registry.eventsOf(id).filter((event) => event.type === 'ProviderClusterAttached') as unknown as {
      apiServer: string;
      kubeconfig: SealedBox;
    }[];

  it('is published sealed to the orchestrator, once, and is kept nowhere in the clear', async () => {
    const { providerId, token } = await onboard();
    const text = kubeconfig('very-secret-token');
    expect((await attach(providerId, token, text)).status).toBe(204);
    expect((await attach(providerId, token, text)).status).toBe(204);
    await eventually(() => expect(attached(providerId)).toHaveLength(1));
    const [event] = attached(providerId);
    expect(event!.apiServer).toBe('https://10.1.2.3:6443');
    const opened = await open(registry.sealingKey.privateKey, event!.kubeconfig, providerId);
    expect(Buffer.from(opened).toString()).toBe(text);
    await expect(
      open(registry.sealingKey.privateKey, event!.kubeconfig, 'another provider'),
    ).rejects.toThrow();
    const [{ dump }] = await registry.dataSource.query<[{ dump: string }]>(
      'SELECT (SELECT jsonb_agg(e) FROM events e)::text || (SELECT jsonb_agg(c) FROM provider_clusters c)::text AS dump',
    );
    expect(dump).not.toContain('very-secret-token');
    expect((await attach(providerId, token, kubeconfig('another-token'))).status).toBe(204);
    await eventually(() => expect(attached(providerId)).toHaveLength(2));
  });

  it('must be a kubeconfig that stands on its own', async () => {
    const { providerId, token } = await onboard();
    expect(await attach(providerId, token, 'hello')).toMatchObject({
      status: 422,
      body: { code: 'invalid_kubeconfig' },
    });
    const program = kubeconfig('x').replace('token: x', 'exec: { command: sh }');
    expect(await attach(providerId, token, program)).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/kubeconfig/users/0/user/exec' }] },
    });
  });
});

describe('offers', () => {
  const publish = (id: string, token: string, body: unknown) =>
    registry.call<Offer & { code: string }>('POST', `/v1/providers/${id}/offers`, { token, body });

  it('are published once for one content, and anew with a higher revision for another', async () => {
    const { providerId, token } = await onboard();
    const first = await publish(providerId, token, offerBody());
    expect(first).toMatchObject({
      status: 200,
      body: {
        revision: 1,
        gpu: { model: 'h100' },
        nodes: 2,
        gpusTotal: 16,
        price: { perGpu: { usdc: '3.00', micros: '3000000' } },
        listPricePerGpuHour: { micros: '12000000' },
        saving: 0.75,
        region: 'eu-north',
        state: 'unavailable',
      },
    });
    expect((await publish(providerId, token, offerBody())).body).toEqual(first.body);
    const dearer = offerBody({ price: { ...offerBody().price, perGpuUsdcPerHour: '12.5' } });
    expect((await publish(providerId, token, dearer)).body).toMatchObject({
      offerId: first.body.offerId,
      revision: 2,
      saving: -0.0416,
    });
    const labelled = await publish(providerId, token, offerBody({ label: 'second' }));
    expect(labelled.body.offerId).not.toBe(first.body.offerId);
    const replaced = await publish(
      providerId,
      token,
      offerBody({ label: 'renamed', offerId: labelled.body.offerId }),
    );
    expect(replaced.body).toMatchObject({ offerId: labelled.body.offerId, revision: 2 });
    await eventually(() =>
      expect(registry.typesOf(providerId)).toEqual([
        'ProviderRegistered',
        ...Array<string>(4).fill('OfferPublished'),
      ]),
    );
  });

  it('are listed for anybody, by model and region, until withdrawn', async () => {
    const { providerId, token } = await onboard();
    const { body: cpu } = await publish(
      providerId,
      token,
      offerBody({
        gpu: null,
        nodes: [{ name: 'c1', gpus: 0, cpuMillis: 8_000, memoryMiB: 1_024, storageMiB: 0 }],
      }),
    );
    const { body: l40s } = await publish(
      providerId,
      token,
      offerBody({ gpu: { model: 'L40S', vramMiB: 46_080, interface: 'pcie' } }),
    );
    const list = async (query: string): Promise<string[]> =>
      (await registry.call<{ items: Offer[] }>('GET', `/v1/offers?limit=200${query}`)).body.items.map(
        (item) => item.offerId,
      );
    expect(await list('')).toEqual(expect.arrayContaining([cpu.offerId, l40s.offerId]));
    expect(await list('&model=NVIDIA-L40S&region=eu-north')).toEqual([l40s.offerId]);
    expect(await list('&model=L40S&region=us-east')).toEqual([]);
    expect((await registry.call('GET', '/v1/offers?model=GeForce9999')).status).toBe(422);
    const path = `/v1/providers/${providerId}/offers/${l40s.offerId}`;
    expect((await registry.call('DELETE', path, { token })).status).toBe(204);
    expect((await registry.call('DELETE', path, { token })).status).toBe(204);
    expect(await list('&model=l40s')).toEqual([]);
    await eventually(() =>
      expect(registry.typesOf(l40s.offerId)).toEqual(['OfferPublished', 'OfferWithdrawn']),
    );
  });

  it('say in which units GPUs are sold, and are apart by it', async () => {
    const { providerId, token } = await onboard();
    const a100 = { model: 'a100', vramMiB: 81_920, interface: 'sxm' };
    const slices = { ...a100, sharing: { mode: 'mig', profile: '1g.10gb' } };
    const slots = { ...a100, sharing: { mode: 'shared', slotsPerGpu: 4 } };
    const price = { ...offerBody().price, perGpuUsdcPerHour: '0.5' };
    const whole = await publish(providerId, token, offerBody({ gpu: a100 }));
    const sliced = await publish(
      providerId,
      token,
      offerBody({ gpu: slices, price, interconnect: 'infiniband' }),
    );
    const slotted = await publish(providerId, token, offerBody({ gpu: slots, price }));
    expect(whole.body).toMatchObject({ gpu: { sharing: { mode: 'whole' } }, interconnect: 'ethernet' });
    // Of 8 USDC/h for a whole one: a seventh, and a quarter.
    expect(sliced.body).toMatchObject({
      ...{ gpu: slices, interconnect: 'infiniband' },
      ...{ listPricePerGpuHour: { micros: '1142857' }, saving: 0.5624 },
    });
    expect(slotted.body).toMatchObject({
      gpu: slots,
      listPricePerGpuHour: { micros: '2000000' },
      saving: 0.75,
    });
    const ids = [whole, sliced, slotted].map(({ body }) => body.offerId);
    expect(new Set(ids).size).toBe(3);
    const list = async (query: string): Promise<string[]> =>
      (await registry.call<{ items: Offer[] }>('GET', `/v1/offers?limit=200&model=a100${query}`)).body.items
        .map(({ offerId }) => offerId)
        .filter((id) => ids.includes(id));
    expect(await list('')).toEqual([...ids].sort());
    expect(await list('&sharing=mig')).toEqual([ids[1]]);
    expect(await list('&sharing=shared')).toEqual([ids[2]]);
    expect(await list('&sharing=whole')).toEqual([ids[0]]);
    expect(await list('&interconnect=roce')).toEqual([ids[1]]);
    expect(await list('&interconnect=ethernet')).toEqual([...ids].sort());
  });

  it.each([
    ['a profile of another size', { mode: 'mig', profile: '1g.5gb' }, {}, '/gpu/sharing/profile'],
    [
      'slices of a GPU that has none',
      { mode: 'mig', profile: '1g.10gb' },
      { model: 'rtx4090', vramMiB: 24_576 },
      '/gpu/sharing/profile',
    ],
    [
      'slices of another maker’s GPU',
      { mode: 'mig', profile: '1g.10gb' },
      { model: 'mi300x', vramMiB: 196_608 },
      '/gpu/sharing/mode',
    ],
    [
      'slots of another maker’s GPU',
      { mode: 'shared', slotsPerGpu: 2 },
      { model: 'mi300x', vramMiB: 196_608 },
      '/gpu/sharing/mode',
    ],
    ['one slot', { mode: 'shared', slotsPerGpu: 1 }, {}, '/gpu/sharing/slotsPerGpu'],
    ['too many slots', { mode: 'shared', slotsPerGpu: 129 }, {}, '/gpu/sharing/slotsPerGpu'],
    ['another way', { mode: 'mps' }, {}, '/gpu/sharing/mode'],
  ])('are refused with %s', async (_, sharing, more, pointer) => {
    const { providerId, token } = await onboard();
    const gpu = { model: 'a100', vramMiB: 81_920, interface: 'sxm', sharing, ...more };
    expect(await publish(providerId, token, offerBody({ gpu }))).toMatchObject({
      status: 422,
      body: { errors: [{ pointer }] },
    });
  });

  it('tell every fault and its place', async () => {
    const { providerId, token } = await onboard();
    const bad = offerBody({
      gpu: { model: 'GeForce 9999', vramMiB: 1, interface: 'pcie' },
      nodes: [offerBody().nodes[0], offerBody().nodes[0]],
      policy: { autoAccept: true, minDurationSeconds: 10, maxDurationSeconds: 5 },
    });
    const { status, body } = await publish(providerId, token, bad);
    expect(status).toBe(422);
    expect(
      (body as unknown as { errors: { pointer: string }[] }).errors.map((fault) => fault.pointer),
    ).toEqual(['/gpu/model', '/nodes/1/name', '/policy/minDurationSeconds']);
    const negative = offerBody({ price: { ...offerBody().price, perGpuUsdcPerHour: '-1' } });
    expect(await publish(providerId, token, negative)).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/price/perGpuUsdcPerHour' }] },
    });
  });

  it('and clusters of another account’s provider do not exist', async () => {
    const [mine, theirs] = [await onboard(), await onboard()];
    const { body: offer } = await publish(theirs.providerId, theirs.token, offerBody());
    const attempts = [
      publish(theirs.providerId, mine.token, offerBody({ label: 'x' })),
      publish(mine.providerId, mine.token, offerBody({ offerId: offer.offerId })),
      registry.call('DELETE', `/v1/providers/${theirs.providerId}/offers/${offer.offerId}`, {
        token: mine.token,
      }),
      registry.call('DELETE', `/v1/providers/${mine.providerId}/offers/${offer.offerId}`, {
        token: mine.token,
      }),
      registry.call('PUT', `/v1/providers/${theirs.providerId}/cluster`, {
        token: mine.token,
        body: { kubeconfig: kubeconfig('x') },
      }),
    ];
    for (const answer of await Promise.all(attempts)) expect(answer.status).toBe(404);
    await eventually(() => expect(registry.typesOf(offer.offerId)).toEqual(['OfferPublished']));
  });
});

describe('an operator', () => {
  it('suspends and reinstates; others may not', async () => {
    const { providerId, token } = await onboard();
    const boss = await registry.signIn(operator);
    const suspend = (caller: string) =>
      registry.call('POST', `/v1/providers/${providerId}/suspend`, {
        token: caller,
        body: { reason: 'failed proof' },
      });
    expect(await suspend(token)).toMatchObject({ status: 403, body: { code: 'missing_scope' } });
    expect(await suspend(boss.token)).toMatchObject({ status: 200, body: { state: 'suspended' } });
    const reinstate = () =>
      registry.call('POST', `/v1/providers/${providerId}/reinstate`, { token: boss.token });
    expect(await reinstate()).toMatchObject({ status: 200, body: { state: 'registered' } });
    expect(await reinstate()).toMatchObject({ status: 409 });
  });
});

it('shows the limits of the tiers', async () => {
  const { body } = await registry.call<{ tier: number; uptimeAtLeast: number }[]>(
    'GET',
    '/v1/providers/tiers',
  );
  expect(body.map((tier) => tier.tier)).toEqual([1, 2, 3, 4, 5, 6]);
});

it('builds the same read models from its events alone', async () => {
  const { dataSource } = registry;
  const dump = () =>
    Promise.all(
      ['providers', 'offers'].map((table) =>
        dataSource.query<unknown[]>(`SELECT * FROM ${table} ORDER BY 1`),
      ),
    );
  const before = await dump();
  expect(before.map((rows) => rows.length > 3)).toEqual([true, true]);
  await dataSource.transaction(async (manager) => {
    await manager.query('TRUNCATE offers, provider_clusters, providers');
    const rows = await manager.query<{ type: string; schema_version: number; data: unknown }[]>(
      'SELECT type, schema_version, data FROM events ORDER BY tx, position',
    );
    for (const { type, schema_version, data } of rows) {
      const event = registryCatalogue.decode({ type, schemaVersion: schema_version, data });
      await projectProvider(manager, [event as RegistryProviderEvent]);
    }
  });
  expect(await dump()).toEqual(before);
});

import { eventually } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { kubeconfig, machines, offerBody, RegistryUnderTest } from '../../../test/registry-under-test.ts';
import { registryCatalogue, type RegistryProviderEvent } from '../../domain/private-events.ts';
import { projectProvider } from '../../read-models/provider.projection.ts';

// Real here: the service, Postgres, the bus, HTTP. Made up: the clock.

type Offer = { offerId: string; revision: number; gpusTotal: number; state: string; saving: number | null };

let registry: RegistryUnderTest;

beforeAll(async () => {
  registry = await RegistryUnderTest.start();
});
afterAll(() => registry.close());

const publish = (id: string, token: string, body: unknown) =>
  registry.call<Offer & { code: string }>('POST', `/v1/providers/${id}/offers`, { token, body });

describe('offers', () => {
  it('are published once for one content, and anew with a higher revision for another', async () => {
    const { providerId, token } = await registry.onboard();
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
    const labelled = await publish(providerId, token, offerBody({ label: 'second', nodes: machines('m1') }));
    expect(labelled.body.offerId).not.toBe(first.body.offerId);
    const replaced = await publish(
      providerId,
      token,
      offerBody({ label: 'renamed', nodes: machines('m1'), offerId: labelled.body.offerId }),
    );
    expect(replaced.body).toMatchObject({ offerId: labelled.body.offerId, revision: 2 });
    await eventually(() =>
      expect(registry.typesOf(providerId)).toEqual([
        'ProviderRegistered',
        ...Array<string>(4).fill('OfferPublished'),
      ]),
    );
  });

  it('hand machines on: one is in the offer that named it last', async () => {
    const { providerId, token } = await registry.onboard();
    const first = await publish(providerId, token, offerBody());
    const second = await publish(
      providerId,
      token,
      offerBody({ label: 'second', nodes: machines('n2', 'n3') }),
    );
    expect(second.body).toMatchObject({ nodes: 2, gpusTotal: 16 });
    const shown = (await registry.call<{ items: Offer[] }>('GET', '/v1/offers?limit=200')).body.items;
    expect(shown.find(({ offerId }) => offerId === first.body.offerId)).toMatchObject({
      ...{ nodes: 1, gpusTotal: 8, revision: 2 },
    });
    await publish(providerId, token, offerBody({ label: 'second', nodes: machines('n1', 'n2') }));
    await eventually(() =>
      expect(registry.typesOf(first.body.offerId)).toEqual([
        'OfferPublished',
        'OfferPublished',
        'OfferWithdrawn',
      ]),
    );
  });

  it('are listed for anybody, by model and region, until withdrawn', async () => {
    const { providerId, token } = await registry.onboard();
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
    const { providerId, token } = await registry.onboard();
    const a100 = { model: 'a100', vramMiB: 81_920, interface: 'sxm' };
    const slices = { ...a100, sharing: { mode: 'mig', profile: '1g.10gb' } };
    const slots = { ...a100, sharing: { mode: 'shared', slotsPerGpu: 4 } };
    const price = { ...offerBody().price, perGpuUsdcPerHour: '0.5' };
    const whole = await publish(providerId, token, offerBody({ gpu: a100 }));
    const sliced = await publish(
      providerId,
      token,
      offerBody({ gpu: slices, nodes: machines('m1'), price, interconnect: 'infiniband' }),
    );
    const slotted = await publish(providerId, token, offerBody({ gpu: slots, nodes: machines('m2'), price }));
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
    const { providerId, token } = await registry.onboard();
    const gpu = { model: 'a100', vramMiB: 81_920, interface: 'sxm', sharing, ...more };
    expect(await publish(providerId, token, offerBody({ gpu }))).toMatchObject({
      status: 422,
      body: { errors: [{ pointer }] },
    });
  });

  it('tell every fault and its place', async () => {
    const { providerId, token } = await registry.onboard();
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
    const [mine, theirs] = [await registry.onboard(), await registry.onboard()];
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

it('builds the same read models of offers and providers from its events alone', async () => {
  const { dataSource } = registry;
  for (const label of ['one', 'two', 'three', 'four']) {
    const { providerId, token } = await registry.onboard();
    await publish(providerId, token, offerBody({ label }));
  }
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

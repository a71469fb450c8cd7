import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { open } from '@gridbourse/sealing';
import type { SealedBox } from '@gridbourse/events';
import { eventually } from '@gridbourse/testing';
import { Wallet } from 'ethers';
import { kubeconfig, providerBody, RegistryUnderTest } from '../../../test/registry-under-test.ts';

// Real here: the service, Postgres, the bus, HTTP, sealing. Made up: the clock and what the chain says.

type Provider = {
  providerId: string;
  state: string;
  chainProviderId: number | null;
  stake: { micros: string };
};

const operator = Wallet.createRandom();
let registry: RegistryUnderTest;

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
    for (let n = 0; n < 3; n += 1) await registry.onboard();
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
    const { providerId, wallet } = await registry.onboard();
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
    const { providerId, wallet } = await registry.onboard();
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
    const { providerId, token } = await registry.onboard();
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
    const { providerId, token } = await registry.onboard();
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

describe('an operator', () => {
  it('suspends and reinstates; others may not', async () => {
    const { providerId, token } = await registry.onboard();
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

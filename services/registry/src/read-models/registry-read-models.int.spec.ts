import { eventually, spoilAndRebuild } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Wallet } from 'ethers';
import { offerBody, RegistryUnderTest, type SignedIn } from '../../test/registry-under-test.ts';

// Real here: the service, Postgres, the bus, HTTP, and the rebuilds. Made up: the clock and what the chain says.

jest.setTimeout(60_000);

const MODELS = [
  {
    name: 'accounts',
    spoil: [
      `UPDATE accounts SET name = 'wrong'`,
      `UPDATE api_keys SET revoked_at_ms = 7, scopes = '{}'`,
      'DELETE FROM api_key_details',
    ],
  },
  { name: 'providers', spoil: [`UPDATE providers SET name = 'wrong'`, 'UPDATE offers SET withdrawn = true'] },
  { name: 'stakes', spoil: ['UPDATE chain_stakes SET stake_micros = 7'] },
];

let registry: RegistryUnderTest;
beforeAll(async () => {
  registry = await RegistryUnderTest.start();
});
afterAll(() => registry.close());

const stakeLog = (wallet: { address: string }, stakeMicros: number, chainProviderId: number) => ({
  name: 'StakeChanged',
  ...{ chainProviderId, owner: wallet.address.toLowerCase(), stakeMicros: String(stakeMicros) },
});

const issueKey = async (person: SignedIn, name: string): Promise<string> => {
  const { status, body } = await registry.call<{ apiKeyId: string }>('POST', '/v1/api-keys', {
    token: person.token,
    body: { name, scopes: ['orders:read'] },
  });
  expect([status, body]).toEqual([201, expect.anything()]);
  return body.apiKeyId;
};

const expectSame = async (): Promise<void> => {
  for (const model of MODELS) {
    const { before, after } = await spoilAndRebuild(registry.dataSource, registry.readModels, model);
    for (const rows of Object.values(before)) expect(rows.length).toBeGreaterThan(0);
    expect({ name: model.name, ...after }).toEqual({ name: model.name, ...before });
  }
};

const live = async (n: number): Promise<void> => {
  const wallet = Wallet.createRandom();
  await registry.chainEvent('ChainEventObserved', stakeLog(wallet, 2_000_000, n), 10 * n);
  const person = await registry.onboard(wallet);
  const offer = await registry.call('POST', `/v1/providers/${person.providerId}/offers`, {
    token: person.token,
    body: offerBody(),
  });
  expect(offer.status).toBe(200);
  await issueKey(person, `first of ${n}`);
  const second = await issueKey(person, `second "é" of ${n}`);
  await registry.call('DELETE', `/v1/api-keys/${second}`, { token: person.token });
  await registry.chainEvent('ChainEventObserved', stakeLog(wallet, 3_000_000, n), 10 * n + 1);
  await registry.chainEvent('ChainEventRetracted', stakeLog(wallet, 3_000_000, n), 10 * n + 1);
  await registry.chainEvent('ChainEventObserved', stakeLog(wallet, 4_000_000, n), 10 * n + 2);
  if (n % 2 === 0)
    await registry.chainEvent('ChainEventFinalized', stakeLog(wallet, 4_000_000, n), 10 * n + 2);
  await registry.chainEvent(
    'ChainEventObserved',
    { name: 'Deposited', tenant: wallet.address.toLowerCase(), amountMicros: '5' },
    10 * n + 3,
  );
  await eventually(async () => {
    const shown = await registry.call<{ stake: { micros: string } }>(
      'GET',
      `/v1/providers/${person.providerId}`,
    );
    expect(shown.body.stake.micros).toBe('4000000');
  });
};

/** Every record that the registry was sent is noted in its inbox. */
const allHeard = (): Promise<unknown> =>
  eventually(async () => {
    const [row] = await registry.dataSource.query<{ behind: number }[]>(
      `SELECT count(*)::int AS behind FROM bus_records r LEFT JOIN bus_inbox i
         ON (i.consumer, i.topic, i.key) = ('registry', r.topic, r.key)
       WHERE r.topic IN ('gridbourse.chain-indexer.contract', 'gridbourse.registry.account')
         AND coalesce(i.sequence, 0) < (r.headers ->> 'sequence')::bigint`,
    );
    return row!.behind === 0;
  });

describe('read models of the registry', () => {
  it('are byte for byte the same when they are made anew', async () => {
    for (const n of [1, 2, 3]) await live(n);
    await allHeard();
    expect((await registry.readModels.list()).map(({ name }) => name)).toEqual(
      MODELS.map(({ name }) => name),
    );
    await expectSame();
  });

  it('and when keys are issued and stakes change meanwhile', async () => {
    let over = false;
    const rebuilding = (async (): Promise<void> => {
      while (!over) {
        for (const { name } of MODELS) {
          await registry.readModels.start(name);
          await eventually(async () => !(await registry.readModels.find(name)).running);
          expect((await registry.readModels.find(name)).failure).toBeNull();
        }
      }
    })();
    for (const n of [4, 5, 6]) await live(n);
    over = true;
    await rebuilding;
    await allHeard();
    await expectSame();
  });

  it('keep of the chain only what is about stake', async () => {
    const rows = await registry.dataSource.query<{ log: string }[]>(
      `SELECT DISTINCT data -> 'log' ->> 'name' AS log FROM bus_journal WHERE topic = 'gridbourse.chain-indexer.contract'`,
    );
    expect(rows).toEqual([{ log: 'StakeChanged' }]);
  });

  it('need no journal of what the registry itself has said', async () => {
    const rows = await registry.dataSource.query<unknown[]>(
      `SELECT FROM bus_journal WHERE topic = 'gridbourse.registry.account'`,
    );
    expect(rows).toEqual([]);
  });
});

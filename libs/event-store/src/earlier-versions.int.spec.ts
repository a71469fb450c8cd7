import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EventCatalogue, type EventOf, fields, nextVersion, parseCloudEventType } from '@gridbourse/events';
import { silentLogger } from '@gridbourse/observability';
import { eventually } from '@gridbourse/testing';
import { z } from 'zod';
import { RecordingBus } from '../test/recording-bus.ts';
import { added, itemAdded, openShop, type Shop } from '../test/shop.ts';
import { EventStore, OutboxRelay } from './index.ts';

// Real: Postgres. The bus only keeps what it is given.

const itemAddedV2 = nextVersion(itemAdded, {
  schema: z.object({ item: z.string(), priceMicros: fields.micros, quantity: z.int().min(1) }),
  upcast: (old) => ({ ...old, quantity: 1 }),
});
type Added = EventOf<typeof itemAddedV2>;
const upgraded = new EventCatalogue<Added>([itemAddedV2]);

let shop: Shop;
beforeEach(async () => {
  shop = await openShop();
});
afterEach(() => shop.close());

describe('a service that was upgraded to a new version of an event', () => {
  it('reads what it stored before, goes on in the same stream, and publishes each as it was written', async () => {
    await shop.dataSource.transaction((manager) =>
      shop.store.append(manager, [{ streamId: 'b1', expectedVersion: 0, events: [added('gpu', 7n)] }]),
    );

    const store = new EventStore<Added>({ context: 'shop', catalogue: upgraded, clock: shop.clock });
    const rack: Added = { type: 'ItemAdded', item: 'rack', priceMicros: 9n, quantity: 2 };
    await shop.dataSource.transaction((manager) =>
      store.append(manager, [{ streamId: 'b1', expectedVersion: 1, events: [rack] }]),
    );
    const { events } = await store.load(shop.dataSource.manager, 'b1');
    expect(events).toEqual([{ type: 'ItemAdded', item: 'gpu', priceMicros: 7n, quantity: 1 }, rack]);
    // A service of the release before says what it met, and does not guess.
    await expect(shop.store.load(shop.dataSource.manager, 'b1')).rejects.toMatchObject({
      code: 'newer_event',
    });

    const bus = new RecordingBus();
    const { dataSource } = shop;
    const relay = new OutboxRelay({
      ...{ dataSource, bus, catalogue: upgraded, context: 'shop', logger: silentLogger },
      pollMs: 20,
    });
    relay.start();
    try {
      await eventually(() => bus.published.length === 2);
    } finally {
      await relay.stop();
    }
    expect(bus.published.map(({ headers }) => [headers.ce_type, headers.ce_dataschema])).toEqual([
      ['gridbourse.shop.ItemAdded.v1', 'https://gridbourse.dev/schemas/shop.ItemAdded.v1.json'],
      ['gridbourse.shop.ItemAdded.v2', 'https://gridbourse.dev/schemas/shop.ItemAdded.v2.json'],
    ]);
    const heard = bus.published.map(({ headers, value }) => {
      const { type, version } = parseCloudEventType(headers.ce_type)!;
      return upgraded.decode({ type, schemaVersion: version, data: value });
    });
    expect(heard).toEqual(events);
  });
});

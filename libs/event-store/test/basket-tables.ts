import type { EntityManager } from 'typeorm';
import type { OwnReadModel, StoredEvent } from '../src/index.ts';
import type { ShopEvent } from './shop.ts';

/**
 * A read model of two tables with all that makes an exchange difficult: a foreign key between them and one from outside,
 * defaults, checks, an identity, indexes of every kind, rights.
 */
export const BASKET_TABLES = `
  CREATE TABLE baskets (
    basket_id text PRIMARY KEY,
    items int NOT NULL DEFAULT 0 CHECK (items >= 0),
    total_micros bigint NOT NULL DEFAULT 0,
    notes text[] NOT NULL DEFAULT '{}',
    last jsonb
  );
  CREATE INDEX baskets_full ON baskets (total_micros DESC, basket_id) WHERE items > 2;
  CREATE INDEX ON baskets (lower(basket_id));
  CREATE TABLE basket_items (
    basket_id text NOT NULL REFERENCES baskets ON DELETE CASCADE,
    place bigint NOT NULL,
    item text NOT NULL,
    row_number bigint GENERATED ALWAYS AS IDENTITY,
    micros numeric GENERATED ALWAYS AS (length(item) * 2) STORED,
    CONSTRAINT basket_items_key PRIMARY KEY (basket_id, place)
  );
  CREATE TABLE coupons (basket_id text REFERENCES baskets, code text);
  GRANT SELECT ON baskets TO PUBLIC;
  CREATE TABLE control_baskets (LIKE baskets INCLUDING ALL);
  CREATE TABLE control_basket_items (
    basket_id text NOT NULL REFERENCES control_baskets, place bigint NOT NULL, item text NOT NULL,
    PRIMARY KEY (basket_id, place)
  );`;

const OPEN = (t: string): string => `INSERT INTO ${t}baskets (basket_id) VALUES ($1) ON CONFLICT DO NOTHING`;
const ADD = (t: string): string => `
  UPDATE ${t}baskets SET items = items + 1, total_micros = total_micros + $2, last = $3 WHERE basket_id = $1`;
const PLACE = (t: string): string =>
  `INSERT INTO ${t}basket_items (basket_id, place, item) VALUES ($1, $2, $3)`;
const PAY = (t: string): string =>
  `UPDATE ${t}baskets SET total_micros = total_micros - $2, last = NULL WHERE basket_id = $1`;
const NOTE = (t: string): string => `UPDATE ${t}baskets SET notes = notes || $2::text WHERE basket_id = $1`;

export type Projected = { readonly streamId: string; readonly version: number; readonly event: ShopEvent };

/** @param prefix of the tables' names: the control tables are fed by the same code */
export const projectBaskets = async (
  manager: EntityManager,
  events: readonly Projected[],
  prefix: '' | 'control_' = '',
): Promise<void> => {
  for (const { streamId, version, event } of events) {
    await manager.query(OPEN(prefix), [streamId]);
    if (event.type === 'ItemAdded') {
      const last = JSON.stringify({ item: event.item, version });
      await manager.query(ADD(prefix), [streamId, event.priceMicros.toString(), last]);
      await manager.query(PLACE(prefix), [streamId, version, event.item]);
    } else if (event.type === 'BasketPaid') {
      await manager.query(PAY(prefix), [streamId, event.totalMicros.toString()]);
    } else if (event.type === 'NoteTaken') await manager.query(NOTE(prefix), [streamId, event.text]);
  }
};

export const baskets = (more: Partial<OwnReadModel<ShopEvent>> = {}): OwnReadModel<ShopEvent> => ({
  name: 'baskets',
  version: 1,
  tables: ['baskets', 'basket_items'],
  project: (manager: EntityManager, events: readonly StoredEvent<ShopEvent>[]) =>
    projectBaskets(manager, events),
  ...more,
});

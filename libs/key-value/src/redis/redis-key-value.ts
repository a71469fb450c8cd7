import type { Logger } from '@gridbourse/observability';
import type { RedisConfig } from '../config.ts';
import { cellOf, spentOf } from '../gcra.ts';
import {
  checkBatch,
  checkEntries,
  checkKey,
  checkSpend,
  checkTtl,
  checkValue,
  INSTANT_DIGITS,
} from '../limits.ts';
import type { KeyValue, Latest, LatestEntry, RatePolicy, Spent } from '../port.ts';
import { RedisConnection } from './redis-connection.ts';
import { ACQUIRE, EXTEND, PUT_LATEST, RELEASE, SPEND } from './scripts.ts';

/** Redis does one thing at a time: a longer script would hold up everybody else. */
const ENTRIES_A_SCRIPT = 250;

const inParts = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, part) =>
    items.slice(part * size, (part + 1) * size),
  );

/** Shared by every process that has the same server and prefix. */
export class RedisKeyValue implements KeyValue {
  private readonly connection: RedisConnection;
  private readonly prefix: string;

  /** Connects in the background, now and whenever the connection is lost. */
  constructor(config: RedisConfig, logger: Logger) {
    this.prefix = config.prefix;
    this.connection = new RedisConnection(config, logger);
  }

  async spend(key: string, policy: RatePolicy, cost: number): Promise<Spent> {
    checkKey(key);
    checkSpend(policy, cost);
    const cell = cellOf(policy);
    const [allowed, debt] = (await this.connection.run(
      SPEND,
      [this.key('rate', key)],
      [String(cost * cell.intervalUs), String(cell.capacityUs)],
    )) as [number, number];
    return spentOf(cell, debt, allowed === 1, cost);
  }

  async putOnce(key: string, value: string, ttlMs: number): Promise<boolean> {
    checkKey(key);
    checkValue(value);
    checkTtl(ttlMs);
    const reply = await this.connection.send([
      'SET',
      this.key('once', key),
      value,
      'NX',
      'PX',
      String(ttlMs),
    ]);
    return reply !== null;
  }

  async take(key: string): Promise<string | null> {
    checkKey(key);
    return (await this.connection.send(['GETDEL', this.key('once', key)])) as string | null;
  }

  async putLatest(entries: readonly LatestEntry[], ttlMs: number): Promise<readonly boolean[]> {
    checkEntries(entries);
    checkTtl(ttlMs);
    const kept = await Promise.all(
      inParts(entries, ENTRIES_A_SCRIPT).map((part) =>
        this.connection.run(
          PUT_LATEST,
          part.map(({ key }) => this.key('latest', key)),
          [
            String(ttlMs),
            ...part.flatMap(({ atMs, value }) => [String(atMs).padStart(INSTANT_DIGITS, '0'), value]),
          ],
        ),
      ),
    );
    return (kept as number[][]).flat().map((flag) => flag === 1);
  }

  async getLatest(keys: readonly string[]): Promise<readonly (Latest | null)[]> {
    checkBatch(keys);
    keys.forEach(checkKey);
    const replies = await Promise.all(
      inParts(keys, ENTRIES_A_SCRIPT).map((part) =>
        this.connection.send(['MGET', ...part.map((key) => this.key('latest', key))]),
      ),
    );
    return (replies as (string | null)[][])
      .flat()
      .map((text) =>
        text === null
          ? null
          : { atMs: Number(text.slice(0, INSTANT_DIGITS)), value: text.slice(INSTANT_DIGITS) },
      );
  }

  async acquire(name: string, ttlMs: number): Promise<bigint | null> {
    checkKey(name);
    checkTtl(ttlMs);
    const keys = [this.key('lock', name), `${this.prefix}:last-token`];
    const token = (await this.connection.run(ACQUIRE, keys, [String(ttlMs)])) as string | null;
    return token === null ? null : BigInt(token);
  }

  async extend(name: string, token: bigint, ttlMs: number): Promise<boolean> {
    checkKey(name);
    checkTtl(ttlMs);
    const reply = await this.connection.run(EXTEND, [this.key('lock', name)], [String(token), String(ttlMs)]);
    return reply === 1;
  }

  async release(name: string, token: bigint): Promise<boolean> {
    checkKey(name);
    return (await this.connection.run(RELEASE, [this.key('lock', name)], [String(token)])) === 1;
  }

  isAvailable(): boolean {
    return this.connection.isReady();
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  private key(family: 'rate' | 'once' | 'latest' | 'lock', key: string): string {
    return `${this.prefix}:${family}:${key}`;
  }
}

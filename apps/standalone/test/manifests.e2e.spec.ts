import { DomainError } from '@gridbourse/kernel';
import { parseManifest } from '@gridbourse/manifest';
import { GridbourseClient, type Order } from '@gridbourse/sdk';
import { eventually } from '@gridbourse/testing';
import { expectBooksInOrder, PlatformProcess } from '@gridbourse/testing/platform';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Real here: everything, and the manifests, which people wrote for two other networks.

const SHARED = fileURLToPath(new URL('../../../../shared/data/manifests', import.meta.url));
const OWN = fileURLToPath(new URL('../../../libs/manifest/test/fixtures', import.meta.url));
const AT_ONCE = 6;
const DURATION_SECONDS = 120;

type Found = { file: string; text: string };

const hasGpu = (text: string): boolean => {
  try {
    return parseManifest(text).spec.groups.some((group) =>
      group.services.some((s) => s.resources.gpu !== null),
    );
  } catch (error) {
    if (error instanceof DomainError) return false;
    throw error;
  }
};

const gpuManifests = (): Found[] => {
  const root = existsSync(SHARED) ? SHARED : OWN;
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.ya?ml$/.test(file))
    .sort()
    .map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }))
    .filter(({ text }) => hasGpu(text));
};

describe('every real GPU manifest, sent as an order', () => {
  let platform: PlatformProcess;
  let client: GridbourseClient;
  const manifests = gpuManifests();

  beforeAll(async () => {
    platform = await PlatformProcess.prepare();
    await platform.start();
    client = new GridbourseClient({ origin: platform.origin, auth: { apiKey: platform.tenant.apiKey } });
    const deposited = await platform.cli(['escrow', 'deposit', '5000', '--max-rate', '5000', '--json']);
    expect(deposited.code).toBe(0);
    await eventually(async () => expect((await client.escrow()).free.usdc).toBe('5000.00'), {
      deadlineMs: 10_000,
    });
  }, 180_000);
  afterAll(() => platform.discard(), 60_000);

  /** Sends it, lets it run, ends it. Returns how it ended. */
  const live = async ({ file, text }: Found, maxRateUsdcPerHour?: string): Promise<'closed' | 'waiting'> => {
    const created = await client.createOrder({
      manifest: text,
      durationSeconds: DURATION_SECONDS,
      ...(maxRateUsdcPerHour === undefined ? {} : { maxRateUsdcPerHour }),
    });
    const settledOrWaiting = (order: Order): boolean =>
      order.state === 'unmatched' || order.leases.some((lease) => lease.state === 'active');
    let order = created;
    await eventually(
      async () => {
        order = await client.order(created.orderId);
        expect({ file, ok: settledOrWaiting(order), order }).toMatchObject({ ok: true });
      },
      { deadlineMs: 120_000 },
    );
    if (order.state === 'unmatched') {
      expect({ file, summary: order.explanation?.summary ?? '' }).toMatchObject({
        summary: expect.stringMatching(/.{10}/),
      });
      await client.cancelOrder(order.orderId);
      return 'waiting';
    }
    for (const lease of order.leases.filter((l) => l.state === 'active'))
      await client.closeLease(lease.leaseId);
    await eventually(
      async () => {
        order = await client.order(created.orderId);
        const open = order.leases.filter(
          (l) => !['closed', 'lapsed'].includes(l.state) || (l.state === 'closed' && !l.capacityReleased),
        );
        expect({ file, open }).toEqual({ file, open: [] });
      },
      { deadlineMs: 120_000 },
    );
    return 'closed';
  };

  const liveAll = async (maxRate?: string): Promise<Record<string, string[]>> => {
    const ended: Record<string, string[]> = { closed: [], waiting: [] };
    const queue = [...manifests];
    const worker = async (): Promise<void> => {
      for (let next = queue.shift(); next; next = queue.shift())
        ended[await live(next, maxRate)]!.push(next.file);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    return ended;
  };

  it('ends closed and settled, or waits and says why', async () => {
    const ended = await liveAll();
    expect(ended['closed']!.length + ended['waiting']!.length).toBe(manifests.length);
    process.stderr.write(
      `at their own prices: ${ended['closed']!.length} ran, ${ended['waiting']!.length} wait\n`,
    );
  }, 900_000);

  it('runs wherever the market has the GPUs, when price is no object', async () => {
    const ended = await liveAll('4000');
    process.stderr.write(
      `at any price: ${ended['closed']!.length} ran, ${ended['waiting']!.length} wait: ${ended['waiting']!.join(', ')}\n`,
    );
    expect(ended['closed']!.length).toBeGreaterThan(ended['waiting']!.length);
    await expectBooksInOrder(client);
  }, 900_000);
});

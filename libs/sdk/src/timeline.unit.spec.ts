import { afterEach, describe, expect, it } from '@jest/globals';
import { seededRandom } from '@gridbourse/kernel';
import fc from 'fast-check';
import { type Handler, LocalPlatform, problem } from '../test/local-platform.ts';
import { serverSentEvents } from './event-stream.ts';
import { GridbourseClient, UnreachableError } from './index.ts';

const running: LocalPlatform[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((platform) => platform.stop()));
});

const against = async (handler: Handler, deadlineMs = 5_000) => {
  const platform = await LocalPlatform.start(handler);
  running.push(platform);
  const client = new GridbourseClient({
    origin: platform.origin,
    auth: { none: true },
    deadlineMs,
    random: seededRandom(1),
  });
  return { client, platform };
};

const item = (id: number): string =>
  `id: ${id}\nevent: LeaseActivated\ndata: ${JSON.stringify({ id: String(id), text: `item ${id}` })}\n\n`;
const END = 'event: end\ndata: {}\n\n';

const idsOf = async (items: AsyncIterable<{ id: string }>): Promise<string[]> => {
  const ids: string[] = [];
  for await (const { id } of items) ids.push(id);
  return ids;
};

describe('a timeline', () => {
  it('gives each item once and in order, over connections that break', async () => {
    const { client, platform } = await against((request, response, count) => {
      const after = Number(request.headers['last-event-id']);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      if (count === 1) {
        response.write(`: hello\n\n${item(1)}${item(2)}id: 3\ndata: {"half`);
        setImmediate(() => response.socket!.destroy());
      } else if (count === 2) response.end(`${item(after)}${item(after + 1)}`);
      else response.end(`${item(after + 1)}${END}`);
    });
    expect(await idsOf(client.timeline('ord_1'))).toEqual(['1', '2', '3', '4']);
    expect(platform.received.map(({ headers }) => headers['last-event-id'])).toEqual(['0', '2', '3']);
  });

  it('goes on behind an item that is known', async () => {
    const { client, platform } = await against(
      (_, response) => void response.writeHead(200).end(`${item(41)}${END}`),
    );
    expect(await idsOf(client.timeline('ord_1', undefined, '40'))).toEqual(['41']);
    expect(platform.received[0]!.headers['last-event-id']).toBe('40');
  });

  it('waits for a platform that starts again', async () => {
    const { client } = await against((_, response, count) =>
      count < 3 ? problem(response, 503, 'starting') : void response.writeHead(200).end(`${item(1)}${END}`),
    );
    expect(await idsOf(client.timeline('ord_1'))).toEqual(['1']);
  });

  it('throws what the platform refuses', async () => {
    const { client } = await against((_, response) => problem(response, 404, 'order_not_found'));
    await expect(idsOf(client.timeline('ord_1'))).rejects.toMatchObject({
      status: 404,
      code: 'order_not_found',
    });
  });

  it('gives up on a platform that stays away', async () => {
    const { client } = await against((_, response) => void response.socket!.destroy(), 200);
    await expect(idsOf(client.timeline('ord_1'))).rejects.toBeInstanceOf(UnreachableError);
  });

  it('throws rather than loop when an item cannot be read', async () => {
    const { client } = await against(
      (_, response) => void response.writeHead(200).end('id: 1\ndata: {broken\n\n'),
    );
    await expect(idsOf(client.timeline('ord_1'))).rejects.toMatchObject({ code: 'unreadable_answer' });
  });

  it('ends quietly when nobody listens any more, and hangs up', async () => {
    let hungUp: () => void = () => undefined;
    const gone = new Promise<void>((resolve) => (hungUp = resolve));
    const { client } = await against((_, response) => {
      response.on('close', hungUp);
      response.writeHead(200).write(item(1));
    });
    const stop = new AbortController();
    const ids: string[] = [];
    for await (const { id } of client.timeline('ord_1', stop.signal)) {
      ids.push(id);
      stop.abort();
    }
    expect(ids).toEqual(['1']);
    await gone;
  });

  it('hangs up when its reader breaks off', async () => {
    let hungUp: () => void = () => undefined;
    const gone = new Promise<void>((resolve) => (hungUp = resolve));
    const { client } = await against((_, response) => {
      response.on('close', hungUp);
      response.writeHead(200).write(item(1));
    });
    for await (const { id } of client.timeline('ord_1')) {
      expect(id).toBe('1');
      break;
    }
    await gone;
  });
});

describe('a followed log', () => {
  it('gives its lines until the container ends', async () => {
    const { client, platform } = await against(
      (_, response) =>
        void response
          .writeHead(200)
          .end(`id: 1\ndata: first\n\nid: 2\ndata: \n\nid: 3\ndata: a: b\n\n${END}`),
    );
    const lines: string[] = [];
    for await (const line of client.followLogs('lea_1', { tail: 10 })) lines.push(line);
    expect(lines).toEqual(['first', '', 'a: b']);
    expect(platform.received[0]!.path).toBe('/v1/workloads/lea_1/logs?tail=10&follow=true');
  });

  it('says when the connection broke, rather than leave a gap', async () => {
    const { client } = await against(
      (_, response) => void response.writeHead(200).end('id: 1\ndata: first\n\n'),
    );
    const lines: string[] = [];
    await expect(
      (async () => {
        for await (const line of client.followLogs('lea_1')) lines.push(line);
      })(),
    ).rejects.toBeInstanceOf(UnreachableError);
    expect(lines).toEqual(['first']);
  });
});

describe('server-sent events', () => {
  const inChunks = async (text: string, cuts: number[]) => {
    const bytes = new TextEncoder().encode(text);
    const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
    const chunks = [...at, bytes.length].map((end, i) => bytes.slice(at[i - 1] ?? 0, end));
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(chunk);
        controller.close();
      },
    });
    const events = [];
    for await (const event of serverSentEvents(stream)) events.push(event);
    return events;
  };

  it('follow the standard', async () => {
    const text = ': comment\nid: 1\ndata: a\ndata:b\nretry: 5\n\nevent: x\n\nid\ndata\n\ndata: never ended';
    expect(await inChunks(text, [])).toEqual([
      { id: '1', event: 'message', data: 'a\nb' },
      { id: '', event: 'message', data: '' },
    ]);
  });

  it('are the same however the bytes arrive and whatever ends the lines', async () => {
    const events = fc.array(
      fc.record({
        id: fc.nat(),
        data: fc.array(fc.stringMatching(/^[a-zäß€😀{}:" ]*$/u), { minLength: 1, maxLength: 3 }),
      }),
      { maxLength: 5 },
    );
    await fc.assert(
      fc.asyncProperty(
        events,
        fc.array(fc.nat()),
        fc.constantFrom('\n', '\r\n', '\r'),
        async (list, cuts, eol) => {
          const text = list
            .map(({ id, data }) => [`id: ${id}`, ...data.map((line) => `data: ${line}`), '', ''].join(eol))
            .join('');
          const expected = list.map(({ id, data }) => ({
            id: String(id),
            event: 'message',
            data: data.join('\n'),
          }));
          const got = await inChunks(text, cuts);
          // With bare carriage returns the last line break may be half of one: its event is not ended yet.
          expect(got).toEqual(eol === '\r' ? expected.slice(0, got.length) : expected);
          expect(expected.length - got.length).toBeLessThanOrEqual(eol === '\r' ? 1 : 0);
        },
      ),
    );
  });
});

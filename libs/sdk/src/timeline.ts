import { ApiError, UnreachableError } from './errors.ts';
import { serverSentEvents, type ServerSentEvent } from './event-stream.ts';
import type { Transport } from './http.ts';
import { backoffMs, pause } from './pause.ts';
import type { TimelineItem } from './types/index.ts';

/** The platform says something every 15 s, if only that it is there: after three silences the connection is dead. */
const SILENCE_MS = 45_000;

/**
 * One connection to a stream of events, to its end.
 * @throws whatever ended it before the platform said `end`
 */
async function* connection(
  transport: Transport,
  path: string,
  lastEventId: string | null,
  signal: AbortSignal | undefined,
): AsyncGenerator<ServerSentEvent, 'ended' | 'broken'> {
  const silence = new AbortController();
  const alive = signal ? AbortSignal.any([signal, silence.signal]) : silence.signal;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const heard = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(new Error('the stream has gone silent')), SILENCE_MS);
  };
  try {
    const response = await transport.stream(
      path,
      { accept: 'text/event-stream', ...(lastEventId === null ? {} : { 'last-event-id': lastEventId }) },
      alive,
    );
    if (response.body === null) return 'broken';
    heard();
    for await (const event of serverSentEvents(response.body, heard)) {
      if (event.event === 'end') return 'ended';
      yield event;
    }
    return 'broken';
  } finally {
    clearTimeout(timer);
  }
}

const ID = /^\d{1,18}$/;

/**
 * Everything that happens to an order, from its beginning and then as it happens, each item once and in order, until the
 * order and its leases have ended. A connection that is lost or goes silent is taken up again behind the last item. Ends
 * quietly when the signal aborts.
 * @throws ApiError when the platform refuses; UnreachableError when it stays away for the transport's deadline
 */
export async function* orderTimeline(
  transport: Transport,
  orderId: string,
  signal?: AbortSignal,
  afterId = '0',
): AsyncGenerator<TimelineItem> {
  const path = `/v1/orders/${encodeURIComponent(orderId)}/timeline`;
  let last = afterId;
  for (let failures = 1; !signal?.aborted; failures += 1) {
    const events = connection(transport, path, last, signal);
    try {
      for (let next = await events.next(); ; next = await events.next()) {
        if (next.done) {
          if (next.value === 'ended') return;
          break;
        }
        const { id, data } = next.value;
        if (!ID.test(id) || BigInt(id) <= BigInt(last)) continue;
        const item = readItem(data);
        last = id;
        failures = 0;
        yield item;
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (error instanceof ApiError || error instanceof UnreachableError) throw error;
    } finally {
      await events.return('broken');
    }
    await pause(backoffMs(Math.max(1, failures), transport.random.next()), signal).catch(() => undefined);
  }
}

const readItem = (data: string): TimelineItem => {
  try {
    return JSON.parse(data) as TimelineItem;
  } catch {
    throw new ApiError(200, { code: 'unreadable_answer', detail: 'an item of the timeline is not JSON' });
  }
};

/**
 * The lines of a log as they are written, until the container ends. Log lines have no name to resume behind, so a
 * connection that breaks is an error and not a gap.
 * @throws ApiError, UnreachableError
 */
export async function* followedLog(
  transport: Transport,
  path: string,
  signal?: AbortSignal,
): AsyncGenerator<string> {
  const events = connection(transport, path, null, signal);
  try {
    for (let next = await events.next(); ; next = await events.next()) {
      if (next.done) {
        if (next.value === 'ended') return;
        throw new Error('the connection broke');
      }
      yield next.value.data;
    }
  } catch (error) {
    if (signal?.aborted) return;
    throw error instanceof ApiError || error instanceof UnreachableError
      ? error
      : new UnreachableError(transport.origin, error);
  } finally {
    await events.return('broken');
  }
}

import type { Transport } from './http.ts';
import type { TimelineItem } from './types.ts';

type ServerSentEvent = { id: string; event: string; data: string };

/** Reads the events of a text/event-stream body (WHATWG HTML, 9.2.6), as far as our server uses the format. */
export async function* serverSentEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder();
  let buffered = '';
  let event: ServerSentEvent = { id: '', event: 'message', data: '' };
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    buffered += decoder.decode(chunk, { stream: true });
    const lines = buffered.split(/\r?\n/);
    buffered = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (event.data !== '') yield event;
        event = { id: event.id, event: 'message', data: '' };
        continue;
      }
      const match = /^(id|event|data): ?(.*)$/.exec(line);
      if (!match) continue;
      if (match[1] === 'data') event.data += (event.data === '' ? '' : '\n') + match[2]!;
      else event = { ...event, [match[1]!]: match[2]! };
    }
  }
}

/**
 * Everything that happens to an order, from its beginning and then as it happens, each item once, until the order and
 * its leases have ended. A lost connection is taken up again where it broke.
 */
export async function* orderTimeline(
  transport: Transport,
  orderId: string,
  signal?: AbortSignal,
): AsyncGenerator<TimelineItem> {
  let last = '0';
  for (;;) {
    try {
      const response = await transport.stream(
        `/v1/orders/${orderId}/timeline`,
        { accept: 'text/event-stream', 'last-event-id': last },
        signal,
      );
      if (!response.body) return;
      for await (const event of serverSentEvents(response.body)) {
        if (event.event === 'end') return;
        if (BigInt(event.id) <= BigInt(last)) continue;
        last = event.id;
        yield JSON.parse(event.data) as TimelineItem;
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (error instanceof Error && (error.name === 'ApiError' || error.name === 'UnreachableError')) throw error;
    }
  }
}

import type { FastifyReply } from 'fastify';

/** Proxies cut what is silent for long. */
const HEARTBEAT_MS = 15_000;

export type ServerSentEvent = { readonly id: string; readonly event: string; readonly data: unknown };

/** Aborts when the client goes away, or when the answer is complete. */
export const clientGone = (reply: FastifyReply): AbortSignal => {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
};

const drained = (raw: FastifyReply['raw'], abort: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    raw.once('drain', resolve);
    abort.addEventListener('abort', () => resolve(), { once: true });
  });

/**
 * Answers with a stream of events (WHATWG HTML, 9.2), ended by an event named `end` when there will be no more. The
 * first item is awaited before anything is sent, so that a refusal is still an ordinary problem answer.
 */
export const sendEvents = async (
  reply: FastifyReply,
  events: AsyncGenerator<ServerSentEvent>,
  abort: AbortSignal,
): Promise<void> => {
  let next = await events.next();
  reply.hijack();
  const { raw } = reply;
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) raw.setHeader(name, value);
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  const heartbeat = setInterval(() => raw.write(': \n\n'), HEARTBEAT_MS);
  try {
    for (; !next.done && !abort.aborted; next = await events.next()) {
      const { id, event, data } = next.value;
      const room = raw.write(`id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      if (!room) await drained(raw, abort);
    }
    if (!abort.aborted) raw.write('event: end\ndata: {}\n\n');
  } finally {
    clearInterval(heartbeat);
    await events.return(undefined);
    raw.end();
  }
};

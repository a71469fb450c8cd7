import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';

/** Passes a log through as it is. */
export const plainLog = (source: IncomingMessage): Readable => source;

const MAX_LINE_CHARS = 64 * 1024;
/** Proxies close connections that say nothing for a minute. */
const KEEP_ALIVE_MS = 15_000;

/** The lines of a log as server-sent events, each with its number as its id, and a comment in silences. */
export const eventStreamOfLog = (source: IncomingMessage): Readable => {
  const stream = new Readable({
    read: () => source.resume(),
    destroy: (error, done) => {
      clearInterval(timer);
      source.destroy();
      done(error);
    },
  });
  let rest = '';
  let count = 0;
  const send = (text: string): void => {
    if (!stream.push(text)) source.pause();
  };
  const sendLine = (line: string): void => {
    count += 1;
    send(`id: ${count}\ndata: ${line.replace(/\r/g, '')}\n\n`);
  };
  source.setEncoding('utf8');
  source.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE_CHARS) {
      lines.push(rest);
      rest = '';
    }
    for (const line of lines) sendLine(line);
  });
  source.on('close', () => {
    clearInterval(timer);
    if (stream.destroyed) return;
    if (rest !== '') sendLine(rest);
    // Tells a reader that the log is over from a connection that broke.
    stream.push('event: end\ndata: {}\n\n');
    stream.push(null);
  });
  source.on('error', () => undefined); // its close follows
  const timer = setInterval(() => send(': still here\n\n'), KEEP_ALIVE_MS);
  timer.unref();
  return stream;
};

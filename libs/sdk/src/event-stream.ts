export type ServerSentEvent = { readonly id: string; readonly event: string; readonly data: string };

/** One event holds at most so much: a stream that never ends a line must not fill the memory. */
const MAX_BUFFERED_CHARS = 4 * 1024 * 1024;

/**
 * Reads the events of a text/event-stream body (WHATWG HTML, 9.2.6). An event without data is not one; an event that is
 * not ended by an empty line before the stream ends is dropped, as the standard says.
 * @param onBytes called whenever anything arrives, comments that only keep the connection alive included
 */
export async function* serverSentEvents(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void = () => undefined,
): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder();
  let buffered = '';
  let id = '';
  let event = '';
  let data: string[] = [];
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    onBytes();
    buffered += decoder.decode(chunk, { stream: true });
    // A carriage return at the very end may be half of a line break.
    const lines = buffered.split(/\r\n|\n|\r(?!$)/);
    buffered = lines.pop()!;
    if (buffered.length > MAX_BUFFERED_CHARS) throw new Error('an event of the stream is too long');
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { id, event: event === '' ? 'message' : event, data: data.join('\n') };
        event = '';
        data = [];
        continue;
      }
      const colon = line.indexOf(':');
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'data') data.push(value);
      else if (field === 'event') event = value;
      else if (field === 'id' && !value.includes('\0')) id = value;
    }
  }
}

import type { Writable } from 'node:stream';
import type { CopyRows } from './copy-rows.ts';

/** What begins a CopyData message. The driver's own way of sending one copies its content. */
const copyDataHead = (bytes: number): Buffer => {
  const head = Buffer.allocUnsafe(5);
  head.write('d', 'latin1');
  // The length counts itself.
  head.writeInt32BE(4 + bytes, 1);
  return head;
};

/** What the driver's connection can do, and its types do not tell. */
type CopyConnection = {
  query(text: string): void;
  readonly stream: Writable;
  endCopyFrom(): void;
};

/** A client of the driver, its own or what `QueryRunner.connect` gives. */
export type CopyClient = { query(query: never): unknown };

/** COPY … FROM STDIN in the form in which the driver takes a query that is not one of its own. */
class CopyIn {
  private readonly ended = Promise.withResolvers<void>();
  readonly done = this.ended.promise;

  constructor(
    private readonly text: string,
    private readonly chunks: readonly Buffer[],
  ) {}

  submit(connection: CopyConnection): void {
    connection.query(this.text);
  }

  handleCopyInResponse(connection: CopyConnection): void {
    const { stream } = connection;
    stream.cork();
    for (const chunk of this.chunks) {
      stream.write(copyDataHead(chunk.length));
      stream.write(chunk);
    }
    connection.endCopyFrom();
    stream.uncork();
  }

  handleCommandComplete(): void {
    // The next word of the server says that it is ready: only then is it over.
  }

  handleReadyForQuery(): void {
    this.ended.resolve();
  }

  handleError(error: unknown): void {
    this.ended.reject(error);
  }
}

/**
 * Copies rows into a table, in the transaction that the client is in.
 * @param text COPY … FROM STDIN (FORMAT binary)
 * @param rows to which nothing is added any more
 * @throws errors of the driver as they are
 */
export const copyIn = async (client: CopyClient, text: string, rows: CopyRows): Promise<void> => {
  const copy = new CopyIn(text, rows.finish());
  client.query(copy as never);
  await copy.done;
  // The server has all of it. After a failure some of it may still be on its way, and is left to the collector.
  rows.release();
};

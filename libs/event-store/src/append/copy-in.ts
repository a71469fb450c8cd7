import type { QueryRunner } from 'typeorm';

/** What the driver's connection can do, and its types do not tell. */
type CopyConnection = {
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
};

/** The driver's own client, which TypeORM does not type. */
type CopyClient = { query(query: CopyIn): unknown };

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
    for (const chunk of this.chunks) connection.sendCopyFromChunk(chunk);
    connection.endCopyFrom();
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
 * Copies rows into a table on the connection of a transaction.
 * @param text COPY … FROM STDIN (FORMAT binary)
 * @param chunks as `CopyRows.finish` gives them
 * @throws errors of the driver as they are
 */
export const copyIn = async (runner: QueryRunner, text: string, chunks: readonly Buffer[]): Promise<void> => {
  const client = (await runner.connect()) as CopyClient;
  const copy = new CopyIn(text, chunks);
  client.query(copy);
  await copy.done;
};

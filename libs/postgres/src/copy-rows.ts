import { writeInt64 } from './binary-arrays.ts';
import { giveBack, takeChunk } from './chunks.ts';

/** What begins a stream of rows in the binary format of COPY: signature, flags, and no extension. */
const HEAD = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
/** Of the form in which jsonb travels, which is its text behind this byte. */
const JSONB_VERSION = 1;
/** A unit of UTF-16 takes three bytes of UTF-8 at most. */
const BYTES_PER_UNIT = 3;

/** Rows for COPY … FROM STDIN (FORMAT binary), written field by field in the order of the columns. */
export class CopyRows {
  private readonly full: { readonly chunk: Buffer; readonly bytes: number }[] = [];
  private chunk: Buffer;
  private at: number;

  /** @param columns how many fields follow in each row */
  constructor(private readonly columns: number) {
    this.chunk = takeChunk();
    this.at = HEAD.copy(this.chunk);
  }

  row(): void {
    this.reserve(2);
    this.at = this.chunk.writeInt16BE(this.columns, this.at);
  }

  /** For text, and for json, which is its text. */
  text(value: string): void {
    this.reserve(4 + value.length * BYTES_PER_UNIT);
    const bytes = this.chunk.write(value, this.at + 4);
    this.at = this.chunk.writeInt32BE(bytes, this.at) + bytes;
  }

  int(value: number): void {
    this.reserve(8);
    this.at = this.chunk.writeInt32BE(value, this.chunk.writeInt32BE(4, this.at));
  }

  /** For bigint and xid8. @throws RangeError as `writeInt64` does */
  bigint(value: number | bigint): void {
    this.reserve(12);
    this.at = writeInt64(this.chunk, value, this.chunk.writeInt32BE(8, this.at));
  }

  boolean(value: boolean): void {
    this.reserve(5);
    this.at = this.chunk.writeInt8(value ? 1 : 0, this.chunk.writeInt32BE(1, this.at));
  }

  /** @param json text of JSON */
  jsonb(json: string): void {
    this.reserve(5 + json.length * BYTES_PER_UNIT);
    const bytes = this.chunk.write(json, this.chunk.writeInt8(JSONB_VERSION, this.at + 4));
    this.at = this.chunk.writeInt32BE(1 + bytes, this.at) + 1 + bytes;
  }

  null(): void {
    this.reserve(4);
    this.at = this.chunk.writeInt32BE(-1, this.at);
  }

  /** @param ms milliseconds since 1970 */
  timestamp(ms: number): void {
    this.bigint((Math.trunc(ms) - EPOCH_MS) * 1_000);
  }

  /** All of it, to be sent in this order. Nothing may be written any more. */
  finish(): readonly Buffer[] {
    this.reserve(2);
    this.at = this.chunk.writeInt16BE(-1, this.at);
    this.close();
    return this.full.map(({ chunk, bytes }) => chunk.subarray(0, bytes));
  }

  /** The memory is for others from now on: nobody may read any more what `finish` gave. */
  release(): void {
    for (const { chunk } of this.full.splice(0)) giveBack(chunk);
  }

  private reserve(bytes: number): void {
    if (this.at + bytes <= this.chunk.length) return;
    this.close();
    this.chunk = takeChunk(bytes);
    this.at = 0;
  }

  private close(): void {
    this.full.push({ chunk: this.chunk, bytes: this.at });
  }
}

/** Postgres counts microseconds since 2000. */
const EPOCH_MS = Date.UTC(2000, 0, 1);

import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { KubeObject } from '../objects.ts';
import type { Change, ChangeType, ObjectStore } from './store.ts';

export type JournalHeader = {
  format: 'kube-sim/1';
  clusterId: string;
  token: string;
  /** Revision at which the snapshot that follows was taken. */
  revision: number;
};

type SnapshotLine = { resource: string; object: KubeObject };
type ChangeLine = { revision: number; type: ChangeType; resource: string; object: KubeObject };

const NEWLINE = 10;

/**
 * The cluster on disk: a header, a snapshot, then one line for each change. A change is handed to the operating
 * system before anyone hears of it, so that an end of this process at any moment loses nothing that was
 * acknowledged. (A power cut may cost the last moments: lines are not synced one by one.)
 */
export class Journal {
  private readonly file: string;
  private descriptor = -1;
  /** Bytes that are known to be whole lines. */
  private size = 0;
  private linesSinceSnapshot = 0;
  private header: JournalHeader;

  private constructor(file: string, header: JournalHeader) {
    this.file = file;
    this.header = header;
  }

  get identity(): { clusterId: string; token: string } {
    return { clusterId: this.header.clusterId, token: this.header.token };
  }

  /**
   * Opens or creates the file and loads what it holds into the store. A last line that was cut in two by a crash was
   * never acknowledged and is dropped.
   * @throws Error when the file holds anything else than a journal
   */
  static open(
    file: string,
    store: ObjectStore,
    fresh: { clusterId: string; token: string | undefined; newToken: () => string },
  ): Journal {
    mkdirSync(dirname(file), { recursive: true });
    const bytes = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    if (end === 0) {
      const header: JournalHeader = {
        format: 'kube-sim/1',
        clusterId: fresh.clusterId,
        token: fresh.token ?? fresh.newToken(),
        revision: store.revision,
      };
      const journal = new Journal(file, header);
      journal.compact(store);
      return journal;
    }
    const lines = bytes.subarray(0, end).toString('utf8').split('\n');
    const header = parse<JournalHeader>(file, lines[0]!, 1);
    if (header.format !== 'kube-sim/1') throw new Error(`${file} is not a journal of kube-sim`);
    if (fresh.token !== undefined) header.token = fresh.token;
    const journal = new Journal(file, header);
    store.restoreRevision(header.revision);
    for (let i = 1; i < lines.length; i += 1) {
      if (lines[i] === '') continue;
      const line = parse<SnapshotLine & Partial<ChangeLine>>(file, lines[i]!, i + 1);
      if (line.revision === undefined) store.restore(line.resource, line.object);
      else store.replay({ ...line, type: line.type!, revision: line.revision });
    }
    journal.descriptor = openSync(file, 'r+');
    if (end < bytes.length) ftruncateSync(journal.descriptor, end);
    closeSync(journal.descriptor);
    journal.descriptor = openSync(file, 'a');
    journal.size = end;
    journal.linesSinceSnapshot = lines.length;
    return journal;
  }

  append(change: Change): void {
    const { revision, type, resource, object } = change;
    const line: ChangeLine = { revision, type, resource, object };
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    try {
      writeWhole(this.descriptor, bytes);
    } catch (error) {
      // A full disk may have taken half a line: nothing may ever follow it.
      ftruncateSync(this.descriptor, this.size);
      throw error;
    }
    this.size += bytes.length;
    this.linesSinceSnapshot += 1;
  }

  /** True when most of the file is history that nobody can watch any more. */
  needsCompaction(store: ObjectStore): boolean {
    return this.linesSinceSnapshot > 4_000 + 4 * store.size;
  }

  /** Writes a new file with the present state alone and puts it in place of the old one in one step. */
  compact(store: ObjectStore): void {
    this.header = { ...this.header, revision: store.revision };
    const next = `${this.file}.next`;
    const descriptor = openSync(next, 'w');
    const lines = [JSON.stringify(this.header)];
    for (const { resource, object } of store.entries()) lines.push(JSON.stringify({ resource, object }));
    const bytes = Buffer.from(`${lines.join('\n')}\n`);
    writeWhole(descriptor, bytes);
    fsyncSync(descriptor);
    closeSync(descriptor);
    renameSync(next, this.file);
    if (this.descriptor >= 0) closeSync(this.descriptor);
    this.descriptor = openSync(this.file, 'a');
    this.size = bytes.length;
    this.linesSinceSnapshot = 0;
  }

  close(): void {
    fsyncSync(this.descriptor);
    closeSync(this.descriptor);
    this.descriptor = -1;
  }
}

const writeWhole = (descriptor: number, bytes: Buffer): void => {
  let written = 0;
  while (written < bytes.length) written += writeSync(descriptor, bytes, written);
};

const parse = <T>(file: string, line: string, number: number): T => {
  try {
    return JSON.parse(line) as T;
  } catch (error) {
    throw new Error(`${file}:${number} is damaged`, { cause: error });
  }
};

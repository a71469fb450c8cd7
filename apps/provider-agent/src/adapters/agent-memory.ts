import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';

/** What the platform already has of this agent, by digest: unchanged things need not be sent again. */
const remembered = z.object({
  providerId: z.string(),
  /** Of origin, wallet, registration, kubeconfig and chain: when it differs, the agent introduces itself anew. */
  identity: z.string(),
  /** Of the offers as they were published last. */
  offers: z.string(),
  offerIds: z.array(z.string()),
  machines: z.array(z.string()),
});
export type Remembered = z.output<typeof remembered>;

/** Kept in a small file, or only as long as the process lives. */
export class AgentMemory {
  private readonly file: string | undefined;
  private value: Remembered | null = null;

  constructor(file: string | undefined) {
    this.file = file;
    if (file === undefined) return;
    try {
      this.value = remembered.parse(JSON.parse(readFileSync(file, 'utf8')));
    } catch {
      this.value = null; // absent or of another version: introduce yourself anew, which is safe at any time
    }
  }

  get current(): Remembered | null {
    return this.value;
  }

  keep(value: Remembered | null): void {
    this.value = value;
    if (this.file === undefined) return;
    mkdirSync(dirname(this.file), { recursive: true });
    writeFileSync(`${this.file}.next`, JSON.stringify(value), { mode: 0o600 });
    renameSync(`${this.file}.next`, this.file);
  }
}

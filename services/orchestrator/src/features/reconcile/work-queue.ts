import { AsyncLocalStorage } from 'node:async_hooks';

type Appointment = { readonly timer: NodeJS.Timeout; readonly dueAtMs: number };
type InContext = (work: () => void) => void;

/**
 * Work by key. A key is worked on by one worker at a time; a key that is added while it is worked on runs once more
 * afterwards; many additions are one run. Nothing is lost by a full queue, because a key takes one place only.
 */
export class WorkQueue<K> {
  private readonly waiting = new Map<K, Appointment>();
  /** With the context of whoever asked first: the trace goes on from there, and from nobody else. */
  private readonly ready = new Map<K, InContext>();
  private readonly noContext: InContext = AsyncLocalStorage.snapshot();
  private readonly running = new Set<K>();
  private readonly idle: (() => void)[] = [];
  private stopped = false;

  constructor(
    private readonly options: {
      concurrency: number;
      /** Never rejects. @returns milliseconds until the key wants to be looked at again, null for never by itself */
      work: (key: K) => Promise<number | null>;
    },
  ) {}

  /** Runs the key soon, or after a delay. An earlier appointment stands. */
  add(key: K, delayMs = 0): void {
    if (this.stopped || this.ready.has(key)) return;
    const dueAtMs = performance.now() + delayMs;
    const known = this.waiting.get(key);
    if (known && known.dueAtMs <= dueAtMs) return;
    if (known) clearTimeout(known.timer);
    this.waiting.delete(key);
    if (delayMs <= 0) {
      this.ready.set(key, AsyncLocalStorage.snapshot());
      this.pump();
      return;
    }
    const timer = setTimeout(() => {
      this.waiting.delete(key);
      this.ready.set(key, this.noContext);
      this.pump();
    }, delayMs);
    this.waiting.set(key, { timer, dueAtMs });
  }

  /** Takes on nothing more and waits for what is in hand. */
  async stop(): Promise<void> {
    this.stopped = true;
    for (const { timer } of this.waiting.values()) clearTimeout(timer);
    this.waiting.clear();
    this.ready.clear();
    if (this.running.size > 0) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  private pump(): void {
    for (const [key, inContext] of this.ready) {
      if (this.running.size >= this.options.concurrency) return;
      if (this.running.has(key)) continue;
      this.ready.delete(key);
      this.running.add(key);
      inContext(() => void this.run(key));
    }
  }

  private async run(key: K): Promise<void> {
    const again = await this.options.work(key);
    this.running.delete(key);
    if (again !== null) this.noContext(() => this.add(key, again));
    if (this.running.size === 0) for (const done of this.idle.splice(0)) done();
    this.pump();
  }
}

/** Counts what is being done, and can hold back what is not begun yet. */
export class Hands {
  private busy = 0;
  private gate: PromiseWithResolvers<void> | null = null;
  private readonly waiting: (() => void)[] = [];

  async use<T>(work: () => Promise<T>): Promise<T> {
    while (this.gate) await this.gate.promise;
    this.begin();
    try {
      return await work();
    } finally {
      this.end();
    }
  }

  /** Whether nothing may begin now. */
  get held(): boolean {
    return this.gate !== null;
  }

  /** Resolves when something may begin again, unless it is held back anew meanwhile. */
  async freed(): Promise<void> {
    await this.gate?.promise;
  }

  /** For work that is not one function: each `begin`, while nothing is held, has its `end`. */
  begin(): void {
    this.busy += 1;
  }

  end(): void {
    this.busy -= 1;
    if (this.busy === 0) for (const done of this.waiting.splice(0)) done();
  }

  /** Lets nothing begin until released. Resolves when what had begun has ended. */
  hold(): Promise<void> {
    this.gate ??= Promise.withResolvers<void>();
    return this.busy === 0 ? Promise.resolve() : new Promise((done) => this.waiting.push(done));
  }

  release(): void {
    this.gate?.resolve();
    this.gate = null;
  }
}

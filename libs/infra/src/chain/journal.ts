import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';

/**
 * Every signed transaction that was handed to the local chain, in order, on disk before the chain has it. A local
 * chain keeps its state in memory and saves it now and then; what it loses when it is killed is sent again from here.
 */
export class TransactionJournal {
  private descriptor: number;

  constructor(private readonly file: string) {
    this.dropCutOffLine();
    this.descriptor = openSync(file, 'a', 0o600);
  }

  /** A line that a crash cut off was never acknowledged, and the next must not be written behind it. */
  private dropCutOffLine(): void {
    if (!existsSync(this.file)) return;
    const bytes = readFileSync(this.file);
    const whole = bytes.lastIndexOf(0x0a) + 1;
    if (whole < bytes.length) truncateSync(this.file, whole);
  }

  append(rawTransaction: string): void {
    writeSync(this.descriptor, `${rawTransaction}\n`);
    fsyncSync(this.descriptor);
  }

  /** In the order they came. */
  all(): string[] {
    if (!existsSync(this.file)) return [];
    return readFileSync(this.file, 'utf8')
      .split('\n')
      .filter((line) => /^0x[0-9a-f]+$/i.test(line));
  }

  /** Forgets all but the transactions of the tail that the saved state does not hold. */
  keepOnly(rawTransactions: readonly string[]): void {
    const temporary = `${this.file}.tmp`;
    writeFileSync(temporary, rawTransactions.map((raw) => `${raw}\n`).join(''), { mode: 0o600 });
    closeSync(this.descriptor);
    renameSync(temporary, this.file);
    this.descriptor = openSync(this.file, 'a', 0o600);
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

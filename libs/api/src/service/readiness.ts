import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

export type ReadyReport = { ready: boolean; checks: Record<string, string> };

const CHECK_DEADLINE_MS = 2_000;

/** Ready = able to do its work now. Each part of a service may add what it needs for that. */
@Injectable()
export class Readiness {
  private readonly checks = new Map<string, () => Promise<void> | void>();

  constructor(dataSource: DataSource) {
    this.add('database', async () => {
      await dataSource.query('SELECT 1');
    });
  }

  /** A check passes when it returns, and fails when it throws or takes longer than two seconds. */
  add(name: string, check: () => Promise<void> | void): void {
    this.checks.set(name, check);
  }

  async report(): Promise<ReadyReport> {
    const results = await Promise.all(
      [...this.checks].map(async ([name, check]): Promise<[string, string]> => {
        let timer: NodeJS.Timeout | undefined;
        const deadline = new Promise<never>((_, reject) => {
          timer = setTimeout(() => reject(new Error('no answer in time')), CHECK_DEADLINE_MS);
        });
        try {
          await Promise.race([Promise.resolve(check()), deadline]);
          return [name, 'ok'];
        } catch (error) {
          return [name, error instanceof Error ? error.message.slice(0, 200) : 'failed'];
        } finally {
          clearTimeout(timer);
        }
      }),
    );
    return { ready: results.every(([, state]) => state === 'ok'), checks: Object.fromEntries(results) };
  }
}

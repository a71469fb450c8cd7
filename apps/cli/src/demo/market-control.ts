import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { localDataDir } from '../credentials.ts';

const DEADLINE_MS = 10_000;

type Control = { controlUrl: string; token: string };
export type MarketProvider = { name: string; providerId: string | null; up: boolean };

/** The switch of the local market: providers can be made to die and to come back, as machines do. */
export class MarketControl {
  private constructor(private readonly control: Control) {}

  /** Undefined where no local market runs. */
  static find(): MarketControl | undefined {
    const file = join(localDataDir(), 'market.json');
    if (!existsSync(file)) return undefined;
    return new MarketControl(JSON.parse(readFileSync(file, 'utf8')) as Control);
  }

  providers(): Promise<MarketProvider[]> {
    return this.call<MarketProvider[]>('GET', '/providers');
  }

  async kill(name: string): Promise<void> {
    await this.call('POST', `/providers/${encodeURIComponent(name)}/kill`);
  }

  async revive(name: string): Promise<void> {
    await this.call('POST', `/providers/${encodeURIComponent(name)}/revive`);
  }

  private async call<T>(method: string, path: string): Promise<T> {
    const end = Date.now() + DEADLINE_MS;
    for (;;) {
      try {
        const response = await fetch(`${this.control.controlUrl}${path}`, {
          method,
          headers: { authorization: `Bearer ${this.control.token}` },
          signal: AbortSignal.timeout(5_000),
        });
        if (!response.ok) throw new Error(`the local market answered ${response.status} to ${path}`);
        return (await response.json()) as T;
      } catch (error) {
        if (Date.now() > end) throw error;
        await pause(100);
      }
    }
  }
}

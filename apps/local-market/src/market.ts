import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { localMarket } from '@gridbourse/catalog';
import type { Logger } from '@gridbourse/observability';
import { startControlServer } from './control-server.ts';
import { FIRST_PROVIDER_KEY, RunningProvider } from './market-provider.ts';
import {
  MARKET_FILE,
  type MarketFile,
  type MarketSettings,
  settingsDigest,
} from '@gridbourse/local-platform';

export type RunningMarket = {
  readonly controlUrl: string;
  readonly token: string;
  /** Resolves when somebody asked for the end over HTTP. */
  readonly stopAsked: Promise<void>;
  close(): Promise<void>;
};

/** Starts the providers of the local market with their clusters, and the switch; says where it is in `market.json`. */
export const startMarket = async (settings: MarketSettings, logger: Logger): Promise<RunningMarket> => {
  mkdirSync(settings.dataDir, { recursive: true });
  const chosen = localMarket.providers
    .map((provider, index) => ({ provider, keyIndex: FIRST_PROVIDER_KEY + index }))
    .filter(({ provider }) => settings.providers?.includes(provider.key) ?? true);
  const providers: RunningProvider[] = [];
  let ready = false;
  let askStop = (): void => undefined;
  const stopAsked = new Promise<void>((resolve) => (askStop = resolve));
  try {
    for (const { provider, keyIndex } of chosen) {
      providers.push(await RunningProvider.start(provider, keyIndex, settings, logger));
    }
    const control = await startControlServer({ providers, ready: () => ready, stop: askStop });
    const file: MarketFile = {
      pid: process.pid,
      controlUrl: control.url,
      token: control.token,
      settings: settingsDigest(settings),
    };
    const path = join(settings.dataDir, MARKET_FILE);
    writeFileSync(`${path}.next`, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 });
    renameSync(`${path}.next`, path);
    ready = true;
    logger.info({ providers: providers.length, control: control.url }, 'the local market runs');
    return {
      controlUrl: control.url,
      token: control.token,
      stopAsked,
      close: async () => {
        await Promise.all(providers.map((provider) => provider.stop()));
        await control.close();
        rmSync(path, { force: true });
      },
    };
  } catch (error) {
    await Promise.allSettled(providers.map((provider) => provider.stop()));
    throw error;
  }
};

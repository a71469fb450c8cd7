import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Deployment } from '@gridbourse/chain';
import { type DataDir, isAliveAs, type Log, spawnDetached, stopProcess, until } from '@gridbourse/infra';
import { z } from 'zod';
import { PROJECT_ROOT } from '../settings.ts';
import {
  MARKET_FILE,
  MARKET_FOLDER,
  marketFile,
  type MarketFile,
  marketSettings,
  type MarketSettings,
  type ProviderView,
  providerView,
  settingsDigest,
} from './market-settings.ts';

/** The program of a market process: what Node is given, the file last. Its path holds the word "market". */
export type MarketProgram = { readonly nodeArguments: readonly string[]; readonly entry: string };

export type MarketOptions = {
  dir: DataDir;
  program: MarketProgram;
  logger: Log;
  platformOrigin: string;
  grpcTarget: string;
  rpcUrl: string;
  deployment: Deployment;
  /** Keys of the catalogue's local market; all of them when absent. */
  providers?: readonly string[];
};

/** The market process, seen from the platform's. */
export type LocalMarket = {
  readonly controlUrl: string;
  readonly pid: number;
  readonly alive: boolean;
  providers(): Promise<ProviderView[]>;
  /** Starts it again if it died. */
  ensureRunning(): Promise<void>;
  /** Waits until the platform counts every provider as active, or the deadline passes. */
  untilOnline(deadlineMs: number): Promise<{ online: number; total: number }>;
  /** Ends it in order; its clusters and their workloads are kept. */
  stop(): Promise<void>;
};

const START_DEADLINE_MS = 30_000;
const STOP_DEADLINE_MS = 5_000;
const CALL_DEADLINE_MS = 3_000;
const ANSWER_PATIENCE_MS = 10_000;
/** In the command line of the process. */
const WORD = 'market';

/** As the process reads them: what its schema does not name must not make the two look different. */
const settingsOf = (options: MarketOptions): MarketSettings =>
  marketSettings.parse({
    dataDir: options.dir.path,
    platformOrigin: options.platformOrigin,
    grpcTarget: options.grpcTarget,
    rpcUrl: options.rpcUrl,
    deployment: options.deployment,
    ...(options.providers ? { providers: [...options.providers] } : {}),
    build: String(statSync(options.program.entry).mtimeMs),
  });

const call = async (file: MarketFile, method: string, path: string): Promise<unknown> => {
  const response = await fetch(`${file.controlUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${file.token}` },
    signal: AbortSignal.timeout(CALL_DEADLINE_MS),
  });
  if (!response.ok) throw new Error(`the local market answered ${response.status} to ${path}`);
  return response.json();
};

const readFile = (dir: DataDir): MarketFile | null =>
  marketFile.safeParse(dir.read(MARKET_FILE)).data ?? null;

const answers = async (file: MarketFile): Promise<boolean> => {
  try {
    await call(file, 'GET', '/health');
    return true;
  } catch {
    return false;
  }
};

/** A process that lives and does not answer at once is busy, not dead. */
const healthy = async (file: MarketFile): Promise<boolean> => {
  const alive = (): boolean => isAliveAs(file.pid, WORD);
  return alive() && (await until(async () => !alive() || answers(file), ANSWER_PATIENCE_MS, 100)) && alive();
};

/** The running market process, if there is one, it answers, and it runs with just these settings. */
export const adoptMarketProcess = async (options: MarketOptions): Promise<MarketFile | null> => {
  const file = readFile(options.dir);
  if (!file || file.settings !== settingsDigest(settingsOf(options))) return null;
  return (await healthy(file)) ? file : null;
};

/** Starts a market process that outlives this one. One of before is ended first: two would fight over the clusters. */
export const startMarketProcess = async (options: MarketOptions): Promise<MarketFile> => {
  const { dir, logger, program } = options;
  await endMarketProcess(dir);
  dir.remove(MARKET_FILE);
  mkdirSync(dir.file('logs'), { recursive: true });
  mkdirSync(dir.file(MARKET_FOLDER), { recursive: true, mode: 0o700 });
  dir.write(join(MARKET_FOLDER, 'settings.json'), settingsOf(options));
  const pid = await spawnDetached(
    process.execPath,
    [
      // Fourteen clusters that mostly wait: a small heap matters more than speed.
      '--max-semi-space-size=2',
      '--optimize-for-size',
      '--enable-source-maps',
      '--disable-warning=ExperimentalWarning',
      ...program.nodeArguments,
      program.entry,
      dir.file(MARKET_FOLDER, 'settings.json'),
    ],
    { logFile: dir.file('logs', 'market.log'), cwd: PROJECT_ROOT },
  );
  const started = await until(() => readFile(dir)?.pid === pid || !isAliveAs(pid, WORD), START_DEADLINE_MS);
  const file = readFile(dir);
  if (!started || file?.pid !== pid) {
    await stopProcess(pid, 'SIGKILL', 1_000);
    throw new Error(`the local market does not start; ${dir.file('logs', 'market.log')} says why`);
  }
  logger.info({ pid, control: file.controlUrl }, 'the local market was started');
  return file;
};

const endMarketProcess = async (dir: DataDir): Promise<void> => {
  const file = readFile(dir);
  if (!file || !isAliveAs(file.pid, WORD)) return;
  await call(file, 'POST', '/stop').catch(() => undefined);
  if (await until(() => !isAliveAs(file.pid, WORD), STOP_DEADLINE_MS)) return;
  await stopProcess(file.pid, 'SIGTERM', 1_000);
};

const providerPage = z.object({ items: z.array(z.object({ providerId: z.string(), state: z.string() })) });

const activeOf = async (platformOrigin: string): Promise<Set<string>> => {
  const response = await fetch(`${platformOrigin}/v1/providers?limit=200`, {
    signal: AbortSignal.timeout(CALL_DEADLINE_MS),
  });
  const { items } = providerPage.parse(await response.json());
  return new Set(items.filter(({ state }) => state === 'active').map(({ providerId }) => providerId));
};

/** The local market: the process of an earlier start is adopted, else one is started. */
export const ensureMarket = async (options: MarketOptions): Promise<LocalMarket> => {
  const adopted = await adoptMarketProcess(options);
  if (adopted) options.logger.info({ pid: adopted.pid }, 'the running local market was adopted');
  let file = adopted ?? (await startMarketProcess(options));

  const providers = async (): Promise<ProviderView[]> =>
    z.array(providerView).parse(await call(file, 'GET', '/providers'));
  const count = async (): Promise<{ online: number; total: number }> => {
    const [views, active] = await Promise.all([providers(), activeOf(options.platformOrigin)]);
    const online = views.filter(
      ({ connected, providerId }) => connected && providerId !== null && active.has(providerId),
    );
    return { online: online.length, total: views.length };
  };

  return {
    get controlUrl() {
      return file.controlUrl;
    },
    get pid() {
      return file.pid;
    },
    get alive() {
      return isAliveAs(file.pid, WORD);
    },
    providers,
    ensureRunning: async () => {
      if (!(await healthy(file))) file = await startMarketProcess(options);
    },
    untilOnline: async (deadlineMs) => {
      const end = performance.now() + deadlineMs;
      let seen = { online: 0, total: 0 };
      for (;;) {
        seen = await count().catch(() => seen);
        if ((seen.total > 0 && seen.online === seen.total) || performance.now() > end) return seen;
        await pause(50);
      }
    },
    stop: () => endMarketProcess(options.dir),
  };
};

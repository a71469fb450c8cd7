import { DomainError } from '@gridbourse/kernel';
import { spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, closeSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { guardStateFile, restoreStateFile } from './anvil-state.ts';
import { DEV_MNEMONIC } from './dev-keys.ts';
import { HttpRpc } from './json-rpc.ts';

const START_DEADLINE_MS = 20_000;
const STOP_DEADLINE_MS = 10_000;

export type AnvilOptions = {
  /** 0 or absent: a free one. */
  port?: number;
  host?: string;
  chainId?: number;
  /** Funded accounts of the dev mnemonic. */
  accounts?: number;
  /** Absent: a block for each transaction, at once. */
  blockTimeMs?: number;
  /** safe = head - N, finalized = head - 2N. */
  slotsInAnEpoch?: number;
  /** Keeps the chain over restarts. Absent: in memory only. */
  stateFile?: string;
  /** Outlives this process, which may then adopt it by its pid. */
  detached?: boolean;
  logFile?: string;
};

export type Anvil = {
  readonly rpcUrl: string;
  readonly port: number;
  readonly pid: number;
  /** Lets it write its state and waits for its end. */
  stop(): Promise<void>;
  /** Lets go of a detached process without ending it. */
  release(): void;
};

/**
 * Starts a local chain, ready to answer when resolved.
 * @throws DomainError `no_local_chain` (no binary for this platform), `chain_state_unreadable`, `chain_not_started`
 */
export const startAnvil = async (options: AnvilOptions = {}): Promise<Anvil> => {
  const { host = '127.0.0.1', chainId = 31_337, stateFile } = options;
  const port = options.port || (await freePort(host));
  if (stateFile !== undefined) {
    mkdirSync(dirname(stateFile), { recursive: true });
    await restoreStateFile(stateFile);
  }
  const logFile =
    options.logFile ?? join(stateFile === undefined ? tmpdir() : dirname(stateFile), `anvil-${port}.log`);
  const log = openSync(logFile, 'w');
  const child = spawn(anvilBinary(), anvilArguments({ ...options, host, chainId, port }), {
    detached: options.detached ?? false,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  let failure: string | undefined;
  child.once('error', (error) => (failure = error.message));
  child.once('exit', (code, signal) => (failure ??= `it ended with ${signal ?? `code ${code}`}`));
  const rpcUrl = `http://${host}:${port}`;
  try {
    await answers(rpcUrl, chainId, () => failure);
  } catch (error) {
    child.kill('SIGKILL');
    const words = readFileSync(logFile, 'utf8').trim().slice(-500);
    throw new DomainError(
      'unavailable',
      'chain_not_started',
      `the local chain did not start on ${rpcUrl}: ${(error as Error).message}${words === '' ? '' : `: ${words}`}`,
      { cause: error },
    );
  }
  // A chain that keeps nothing leaves nothing behind.
  if (options.logFile === undefined && stateFile === undefined) {
    child.once('exit', () => rmSync(logFile, { force: true }));
  }
  if (options.detached) child.unref();
  const guard = stateFile === undefined ? undefined : guardStateFile(stateFile);
  return {
    rpcUrl,
    port,
    pid: child.pid!,
    stop: async () => {
      guard?.stop();
      await stopProcess(child.pid!);
    },
    release: () => guard?.stop(),
  };
};

/** Ends a process by its pid: asks first, insists after a while. A process that is gone already is no error. */
export const stopProcess = async (pid: number): Promise<void> => {
  for (const [signal, patienceMs] of [
    ['SIGTERM', STOP_DEADLINE_MS],
    ['SIGKILL', STOP_DEADLINE_MS],
  ] as const) {
    const deadline = performance.now() + patienceMs;
    if (!signalProcess(pid, signal)) return;
    while (performance.now() < deadline) {
      if (!signalProcess(pid, 0)) return;
      await pause(10);
    }
  }
};

const signalProcess = (pid: number, signal: NodeJS.Signals | 0): boolean => {
  try {
    return process.kill(pid, signal) && !isZombie(pid);
  } catch {
    return false;
  }
};

/** A child whose exit has not been collected yet still takes signals. */
const isZombie = (pid: number): boolean => {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/**
 * The binary itself, not its JavaScript wrapper: signals must reach it, and the pid must be its own.
 * @throws DomainError `no_local_chain`
 */
export const anvilBinary = (): string => {
  const name = `@foundry-rs/anvil-${process.platform}-${ARCHITECTURES[process.arch] ?? process.arch}`;
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    return join(dirname(manifest), 'bin', process.platform === 'win32' ? 'anvil.exe' : 'anvil');
  } catch (error) {
    throw new DomainError('unavailable', 'no_local_chain', `${name} is not installed: no local chain here`, {
      cause: error,
    });
  }
};

/** The command line of a local chain. */
export const anvilArguments = (
  options: AnvilOptions & { host: string; port: number; chainId: number },
): string[] => {
  const args = [
    '--quiet',
    ...['--host', options.host],
    ...['--port', String(options.port)],
    ...['--chain-id', String(options.chainId)],
    ...['--mnemonic', DEV_MNEMONIC],
    ...['--accounts', String(options.accounts ?? 40)],
    ...['--slots-in-an-epoch', String(options.slotsInAnEpoch ?? 32)],
    ...['--hardfork', 'prague'],
    ...['--max-persisted-states', '0'],
    // Arbitrum orders by arrival; so does this.
    ...['--order', 'fifo'],
  ];
  if (options.blockTimeMs !== undefined) args.push('--block-time', String(options.blockTimeMs / 1_000));
  if (options.stateFile !== undefined) args.push('--state', options.stateFile, '--state-interval', '1');
  return args;
};

const answers = async (rpcUrl: string, chainId: number, failure: () => string | undefined): Promise<void> => {
  const rpc = new HttpRpc(rpcUrl, { timeoutMs: 1_000 });
  const deadline = performance.now() + START_DEADLINE_MS;
  for (;;) {
    const broken = failure();
    if (broken !== undefined) throw new Error(broken);
    const answer = await rpc.send('eth_chainId', []).catch(() => undefined);
    if (answer !== undefined && failure() === undefined) {
      if (Number(answer) === chainId) return;
      throw new Error(`another chain (id ${Number(answer)}) answers there`);
    }
    if (performance.now() > deadline) throw new Error('no answer in time');
    await pause(20);
  }
};

const freePort = (host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, host, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

import { DomainError } from '@gridbourse/kernel';
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort } from '../ports.ts';
import { stopProcess, until } from '../processes.ts';
import { DEV_MNEMONIC } from './dev-keys.ts';
import { rpcCall } from './rpc.ts';

const START_DEADLINE_MS = 20_000;
const STOP_DEADLINE_MS = 10_000;

export type AnvilOptions = {
  /** 0 or absent: a free one. */
  port?: number;
  host?: string;
  chainId?: number;
  /** Funded accounts of the dev mnemonic. */
  accounts?: number;
  /** safe = head - N, finalized = head - 2N. */
  slotsInAnEpoch?: number;
  /** The first block's time: two chains that began with the same one have the same first block. */
  genesisSeconds?: number;
};

export type Anvil = {
  readonly rpcUrl: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
};

/**
 * Starts a chain that is held in memory only and ends with this process, ready to answer when resolved. One that keeps
 * what it has over restarts is `LocalChain`.
 * @throws DomainError `no_local_chain` (no binary for this platform), `chain_not_started`
 */
export const startAnvil = async (options: AnvilOptions = {}): Promise<Anvil> => {
  const { host = '127.0.0.1', chainId = 31_337 } = options;
  const port = options.port || (await freePort(host));
  const logFile = join(tmpdir(), `anvil-${port}.log`);
  const log = openSync(logFile, 'w');
  const child = spawn(anvilBinary(), anvilArguments({ ...options, host, chainId, port }), {
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  let failure: string | undefined;
  child.once('error', (error) => (failure = error.message));
  child.once('exit', (code, signal) => (failure ??= `it ended with ${signal ?? `code ${code}`}`));
  const rpcUrl = `http://${host}:${port}`;
  let found: number | undefined;
  await until(async () => {
    const answer = await rpcCall<string>(rpcUrl, 'eth_chainId').catch(() => undefined);
    if (answer !== undefined) found = Number(answer);
    return failure !== undefined || found !== undefined;
  }, START_DEADLINE_MS);
  if (failure === undefined && found === undefined) failure = 'no answer in time';
  if (failure === undefined && found !== chainId) failure = `another chain (id ${found}) answers there`;
  if (failure !== undefined) {
    child.kill('SIGKILL');
    const words = readFileSync(logFile, 'utf8').trim().slice(-500);
    throw new DomainError(
      'unavailable',
      'chain_not_started',
      `the local chain did not start on ${rpcUrl}: ${failure}${words === '' ? '' : `: ${words}`}`,
    );
  }
  child.once('exit', () => rmSync(logFile, { force: true }));
  return { rpcUrl, port, pid: child.pid!, stop: () => stopProcess(child.pid!, 'SIGTERM', STOP_DEADLINE_MS) };
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
  if (options.genesisSeconds !== undefined) args.push('--timestamp', String(options.genesisSeconds));
  return args;
};

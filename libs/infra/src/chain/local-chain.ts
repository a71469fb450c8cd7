import { keccak256 } from 'ethers';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { DataDir } from '../data-dir.ts';
import type { Log } from '../log.ts';
import { freePort, isFree } from '../ports.ts';
import { isAlive, isAliveAs, spawnDetached, stopProcess, until } from '../processes.ts';
import { StartError } from '../start-error.ts';
import { anvilArguments, anvilBinary } from './anvil.ts';
import { TransactionJournal } from './journal.ts';
import { rpcCall } from './rpc.ts';
import { RpcFront } from './rpc-front.ts';

export const LOCAL_CHAIN_ID = 31_337;
const STATE = 'chain.json';
const SNAPSHOT = 'chain-state.hex';
const START_DEADLINE_MS = 15_000;
const SNAPSHOT_EVERY_MS = 500;
/** Saving may take at most this share of the time: a large state is saved less often. */
const SNAPSHOT_SHARE = 0.05;

/** The first block's time is kept: a node that is started anew must begin with the same block, or it is another chain. */
type State = { pid: number; port: number; genesisSeconds: number };

/**
 * A chain of one node on this machine. The node (anvil) lives in a process of its own and holds everything in memory;
 * its state is saved whole every half second when it has moved, and every transaction is journalled before it goes in.
 * After the death of the node: saved state + journal = nothing lost.
 */
export class LocalChain {
  private readonly journal: TransactionJournal;
  private readonly front: RpcFront;
  private savedBlock = -1;
  private saving: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private stopping = false;

  private constructor(
    private readonly dir: DataDir,
    private readonly logger: Log,
    private state: State,
    readonly publicPort: number,
  ) {
    this.journal = new TransactionJournal(dir.file('chain-journal.txt'));
    this.front = new RpcFront(() => this.nodeUrl, this.journal);
  }

  /** Adopts the node that an earlier run left behind, or starts one with what was saved. */
  static async start(dir: DataDir, logger: Log, publicPort: number): Promise<LocalChain> {
    const chain = new LocalChain(
      dir,
      logger,
      dir.read<State>(STATE) ?? { pid: 0, port: 0, genesisSeconds: Math.floor(Date.now() / 1_000) },
      publicPort,
    );
    await chain.ensureRunning();
    await chain.front.listen(publicPort);
    chain.scheduleSave(SNAPSHOT_EVERY_MS);
    return chain;
  }

  /** Through the front: what is sent here is journalled. */
  get url(): string {
    return `http://127.0.0.1:${this.publicPort}`;
  }

  get alive(): boolean {
    return isAliveAs(this.state.pid, 'anvil');
  }

  /** True when it had to be started again. */
  async ensureRunning(): Promise<boolean> {
    const { pid, port } = this.state;
    if (port > 0 && isAliveAs(pid, 'anvil') && (await until(() => this.answers(), 3_000, 50))) {
      await this.replayJournal();
      return false;
    }
    if (isAliveAs(pid, 'anvil')) await stopProcess(pid, 'SIGKILL', 1_000);
    await this.launch();
    await this.replayJournal();
    return true;
  }

  async stop(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.timer);
    await this.saving;
    await this.front.close();
    try {
      await this.save();
      // All of the journal is in the saved state now.
      this.journal.keepOnly([]);
    } catch (error) {
      this.logger.warn({ err: error }, 'the chain could not be saved at the end; the journal has the rest');
    }
    this.journal.close();
    await stopProcess(this.state.pid, 'SIGTERM', 3_000);
  }

  private get nodeUrl(): string {
    return `http://127.0.0.1:${this.state.port}`;
  }

  private async answers(): Promise<boolean> {
    try {
      return Number(await rpcCall<string>(this.nodeUrl, 'eth_chainId')) === LOCAL_CHAIN_ID;
    } catch {
      return false;
    }
  }

  private async launch(): Promise<void> {
    const wanted = this.state.port;
    const port = wanted > 0 && (await isFree(wanted)) ? wanted : await freePort();
    mkdirSync(this.dir.file('logs'), { recursive: true });
    const snapshot = this.dir.file(SNAPSHOT);
    const pid = await spawnDetached(
      anvilBinary(),
      [
        // Arbitrum's finality lags by minutes; here: safe = head - 32, finalized = head - 64 blocks.
        ...anvilArguments({
          host: '127.0.0.1',
          port,
          chainId: LOCAL_CHAIN_ID,
          slotsInAnEpoch: 32,
          genesisSeconds: this.state.genesisSeconds,
        }),
        '--no-request-size-limit',
      ],
      { logFile: this.dir.file('logs', 'chain.log') },
    );
    this.state = { ...this.state, pid, port };
    this.dir.write(STATE, this.state);
    if (!(await until(async () => !isAlive(pid) || (await this.answers()), START_DEADLINE_MS))) {
      throw new StartError(
        'The local chain does not start.',
        `Its log is ${this.dir.file('logs', 'chain.log')}.`,
      );
    }
    if (existsSync(snapshot)) {
      await rpcCall(this.nodeUrl, 'anvil_loadState', [readFileSync(snapshot, 'utf8')]);
    }
    // Its clock goes on from the first block's time; blocks are to bear ours.
    await rpcCall(this.nodeUrl, 'evm_setTime', [Math.floor(Date.now() / 1_000)]);
  }

  /** Sends every journalled transaction that the chain does not know, in order. */
  private async replayJournal(): Promise<void> {
    let sent = 0;
    for (const raw of this.journal.all()) {
      const known = await rpcCall<unknown>(this.nodeUrl, 'eth_getTransactionByHash', [keccak256(raw)]);
      if (known !== null) continue;
      try {
        await rpcCall(this.nodeUrl, 'eth_sendRawTransaction', [raw]);
        sent += 1;
      } catch (error) {
        // It was refused the first time too (a used nonce, no funds); what it meant to do never happened.
        this.logger.warn({ err: error }, 'a journalled transaction was refused');
      }
    }
    if (sent > 0) this.logger.info({ sent }, 'transactions sent again from the journal');
  }

  private scheduleSave(delayMs: number): void {
    this.timer = setTimeout(() => {
      const begun = Date.now();
      this.saving = this.save()
        .catch((error: unknown) => this.logger.warn({ err: error }, 'the chain could not be saved'))
        .finally(() => {
          const took = Date.now() - begun;
          if (!this.stopping) this.scheduleSave(Math.max(SNAPSHOT_EVERY_MS, took / SNAPSHOT_SHARE));
        });
    }, delayMs);
  }

  private async save(): Promise<void> {
    const block = Number(await rpcCall<string>(this.nodeUrl, 'eth_blockNumber'));
    if (block === this.savedBlock) return;
    const state = await rpcCall<string>(this.nodeUrl, 'anvil_dumpState');
    const temporary = this.dir.file(`${SNAPSHOT}.tmp`);
    writeFileSync(temporary, state, { mode: 0o600 });
    renameSync(temporary, this.dir.file(SNAPSHOT));
    this.savedBlock = block;
  }
}

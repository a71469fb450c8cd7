import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../ports.ts';
import { kafkaJars, KafkaStartError } from './kafka-jars.ts';
import {
  type KafkaTls,
  type KafkaUser,
  scramArguments,
  type ServerAddresses,
  serverProperties,
} from './server-properties.ts';

export type { KafkaTls, KafkaUser } from './server-properties.ts';

export type KafkaServerOptions = {
  /** Where it keeps everything; what lies there from an earlier run is served again. */
  readonly dir: string;
  /** Of 127.0.0.1; by default a free one, the same again for a folder that was used before. */
  readonly port?: number;
  readonly tls?: KafkaTls;
  /** With users a client must be one of them. PLAIN users and TLS can change at a restart, SCRAM users cannot. */
  readonly users?: readonly KafkaUser[];
  /** `-Xmx` in MiB (256). */
  readonly heapMiB?: number;
  /** Further lines of server.properties, by name. */
  readonly properties?: Readonly<Record<string, string>>;
};

const READY = /Kafka Server started/g;
const START_DEADLINE_MS = 90_000;
const STOP_DEADLINE_MS = 20_000;
const run = promisify(execFile);
const SMALL_JVM = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Djava.awt.headless=true'];
const ADDRESSES = 'addresses.json';

/** 16 bytes as Kafka writes them: base64url, which must not look like an option. */
const clusterId = (): string => {
  for (;;) {
    const id = randomBytes(16).toString('base64url');
    if (!id.startsWith('-')) return id;
  }
};

/**
 * A real single-node Kafka (KRaft) from the jars of Maven Central: ready in 2 to 5 s, about 200 MiB. It needs Java 17 or
 * newer, and Maven the first time. Ends with this process's `exit`, unless that is a SIGKILL.
 */
export class KafkaServer {
  private process: ChildProcess | null = null;
  private ended: Promise<void> = Promise.resolve();

  private constructor(
    private readonly jars: string,
    private readonly options: KafkaServerOptions,
    private readonly addresses: ServerAddresses,
  ) {}

  /** @throws KafkaStartError with what the broker said, or what the machine lacks */
  static async start(options: KafkaServerOptions): Promise<KafkaServer> {
    const dir = resolve(options.dir);
    mkdirSync(dir, { recursive: true });
    const server = new KafkaServer(
      await kafkaJars(),
      { ...options, dir },
      await addressesOf(dir, options.port),
    );
    server.configure();
    await server.format();
    await server.launch();
    return server;
  }

  /** `127.0.0.1:port`, for clients. */
  get bootstrap(): string {
    return `127.0.0.1:${this.addresses.port}`;
  }

  /** `127.0.0.1:port` of the listener without TLS and without users: for tools of the machine itself. */
  get internalBootstrap(): string {
    return `127.0.0.1:${this.addresses.internalPort}`;
  }

  get port(): number {
    return this.addresses.port;
  }

  get pid(): number | null {
    return this.process?.pid ?? null;
  }

  /** What the broker has said so far. */
  get log(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8') : '';
  }

  /** Asks it to end and waits for that (about 1 s); after 20 s it is killed. */
  async stop(): Promise<void> {
    const { process: broker } = this;
    if (!broker) return;
    broker.kill('SIGTERM');
    const hard = setTimeout(() => broker.kill('SIGKILL'), STOP_DEADLINE_MS);
    await this.ended;
    clearTimeout(hard);
  }

  /** SIGKILL, as a machine that loses its power; what was acknowledged is kept. */
  async kill(): Promise<void> {
    this.process?.kill('SIGKILL');
    await this.ended;
  }

  /** Starts it again after `stop` or `kill`, at the same address with the same data. */
  async launch(): Promise<void> {
    if (this.process) throw new KafkaStartError('this broker is running already');
    const before = this.timesReady();
    const out = openSync(this.logFile, 'a');
    const broker = spawn(
      'java',
      [
        `-Xmx${this.options.heapMiB ?? 256}m`,
        ...SMALL_JVM,
        '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
        '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info',
        '-Dorg.slf4j.simpleLogger.showDateTime=true',
        ...['-cp', join(this.jars, '*'), 'kafka.Kafka', this.configFile],
      ],
      // In a session of its own: Ctrl-C in our terminal must not reach it, we end it in order.
      { stdio: ['ignore', out, out], detached: true },
    );
    closeSync(out);
    this.process = broker;
    const killWithUs = (): void => void broker.kill('SIGKILL');
    process.once('exit', killWithUs);
    this.ended = new Promise((done) => {
      const end = (): void => {
        process.off('exit', killWithUs);
        this.process = null;
        done();
      };
      broker.once('exit', end);
      broker.once('error', end);
    });
    for (const until = Date.now() + START_DEADLINE_MS; this.timesReady() <= before;) {
      await pause(25);
      if (!this.process) throw new KafkaStartError(`Kafka ended at its start:\n${this.log.slice(-3_000)}`);
      if (Date.now() > until) {
        await this.kill();
        throw new KafkaStartError(`Kafka was not ready in time:\n${this.log.slice(-3_000)}`);
      }
    }
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.launch();
  }

  /** Runs a tool out of Kafka's own jars to its end. @returns its standard output */
  async tool(mainClass: string, args: readonly string[], deadlineMs = 300_000): Promise<string> {
    const { stdout } = await run(
      'java',
      ['-Xmx512m', '-XX:+UseSerialGC', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error']
        .concat('-cp', join(this.jars, '*'), mainClass)
        .concat(args),
      { timeout: deadlineMs, maxBuffer: 32 * 1_024 * 1_024 },
    );
    return stdout;
  }

  private get configFile(): string {
    return join(this.options.dir, 'server.properties');
  }

  private get logFile(): string {
    return join(this.options.dir, 'broker.log');
  }

  private timesReady(): number {
    return this.log.match(READY)?.length ?? 0;
  }

  private configure(): void {
    const { dir, tls, users = [], properties = {} } = this.options;
    const tlsFile = join(dir, 'server.pem');
    if (tls) writeFileSync(tlsFile, `${tls.key.trim()}\n${tls.certificate.trim()}\n`, { mode: 0o600 });
    writeFileSync(
      this.configFile,
      serverProperties(join(dir, 'data'), this.addresses, {
        ...(tls ? { tlsFile } : {}),
        users,
        more: properties,
      }),
      { mode: 0o600 },
    );
  }

  private async format(): Promise<void> {
    if (existsSync(join(this.options.dir, 'data', 'meta.properties'))) return;
    try {
      await run(
        'java',
        [
          ...['-Xmx128m', ...SMALL_JVM, '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'],
          ...['-cp', join(this.jars, '*'), 'kafka.tools.StorageTool', 'format'],
          ...['-t', clusterId(), '-c', this.configFile, ...scramArguments(this.options.users ?? [])],
        ],
        { timeout: START_DEADLINE_MS },
      );
    } catch (error) {
      const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string };
      throw new KafkaStartError(
        code === 'ENOENT'
          ? 'Kafka needs Java 17 or newer: install it, or name a broker instead'
          : `Kafka could not format its folder: ${stdout ?? ''}${stderr ?? ''}`,
        error,
      );
    }
  }
}

/** The ports of the folder's last run, so that clients find it again; new ones for a new folder. */
const addressesOf = async (dir: string, port: number | undefined): Promise<ServerAddresses> => {
  const file = join(dir, ADDRESSES);
  if (existsSync(file)) {
    const known = JSON.parse(readFileSync(file, 'utf8')) as ServerAddresses;
    if (port === undefined || port === known.port) return known;
  }
  const addresses = {
    port: port ?? (await freePort()),
    internalPort: await freePort(),
    controllerPort: await freePort(),
  };
  writeFileSync(file, JSON.stringify(addresses));
  return addresses;
};

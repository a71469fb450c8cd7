import { type DataDir, explainStartError, isFree, openDataDir, StartError } from '@gridbourse/infra';
import { configureLogging, createLogger, type Logger } from '@gridbourse/observability';
import { Progress } from './progress.ts';
import { readSettings, type Settings } from './settings.ts';

const STOP_DEADLINE_MS = 9_500;

/** What a program has while it brings a platform up. */
export type Run = {
  readonly settings: Settings;
  readonly dir: DataDir;
  readonly progress: Progress;
  readonly logger: Logger;
  /** What was started is stopped in the opposite order, at Ctrl-C or when the start fails. */
  onStop(name: string, stop: () => Promise<void>): void;
};

export type Program = {
  /** A word of this process's command line. */
  readonly name: string;
  readonly dataFolder: string;
  readonly start: (run: Run) => Promise<void>;
  /** How long an orderly end may take before the process leaves anyway; half a second less than a person is promised. */
  readonly stopDeadlineMs?: number;
};

const demandFreePorts = async (settings: Settings): Promise<void> => {
  const wanted = [
    ['GRIDBOURSE_PORT', settings.port],
    ['GRIDBOURSE_GRPC_PORT', settings.grpcPort],
    ['GRIDBOURSE_CHAIN_PORT', settings.chainPort],
  ] as const;
  for (const [name, port] of wanted) {
    if (!(await isFree(port))) {
      throw new StartError(
        `Port ${port} is taken by another program.`,
        `Stop that program, or choose another port: ${name}=${port + 1000} npm start`,
      );
    }
  }
};

/** The whole life of a program that runs a platform on this machine: settings, data folder, start, signals, end. */
export const runProgram = async (program: Program): Promise<void> => {
  const progress = new Progress();
  const stops: { name: string; stop: () => Promise<void> }[] = [];
  let dir: DataDir | undefined;
  let stopping = false;

  const stopAll = async (): Promise<void> => {
    for (const { name, stop } of stops.splice(0).reverse()) {
      try {
        await stop();
      } catch (error) {
        createLogger(program.name).error({ err: error, part: name }, 'a part did not stop cleanly');
      }
    }
    dir?.release();
  };
  const onSignal = (signal: string): void => {
    if (stopping) process.exit(130);
    stopping = true;
    progress.say(`\n  ${signal}: stopping (once more to leave at once)`);
    setTimeout(() => process.exit(1), program.stopDeadlineMs ?? STOP_DEADLINE_MS).unref();
    void stopAll().then(() => {
      progress.say('  stopped; all data is kept');
      process.exit(0);
    });
  };
  process.on('SIGINT', () => onSignal('Ctrl-C'));
  process.on('SIGTERM', () => onSignal('SIGTERM'));
  process.on('SIGHUP', () => onSignal('The terminal was closed'));
  // Whoever read what we say may be gone (a closed terminal, `| head`): no reason to fall over, least of all while
  // everything is being stopped.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

  try {
    const settings = readSettings(process.env, program.dataFolder);
    dir = openDataDir(settings.dataDir, program.name);
    const logFile = dir.file('logs', 'gridbourse.log');
    configureLogging({ level: settings.logLevel, file: logFile });
    await demandFreePorts(settings);
    progress.say(`\n  Gridbourse  (log: ${logFile})\n`);
    await program.start({
      settings,
      dir,
      progress,
      logger: createLogger(program.name),
      onStop: (name, stop) => stops.push({ name, stop }),
    });
  } catch (error) {
    if (stopping) return;
    stopping = true;
    const explained = explainStartError(error);
    if (explained instanceof StartError) progress.failed(explained.message, explained.advice);
    else {
      createLogger(program.name).error({ err: error }, 'start failed');
      progress.failed(
        `Gridbourse does not start: ${error instanceof Error ? error.message : String(error)}`,
        'The log above has the details; npm run reset begins anew.',
      );
      if (error instanceof Error) process.stderr.write(`${error.stack}\n`);
    }
    await stopAll();
    process.exit(1);
  }
};

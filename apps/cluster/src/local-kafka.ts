import { type DataDir, isAliveAs, KafkaServer, stopProcess } from '@gridbourse/infra';
import { PROCESS_FOLDER } from '@gridbourse/local-platform';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** In the broker's command line. */
const WORD = 'kafka.Kafka';
const STOP_DEADLINE_MS = 10_000;

export type LocalKafka = {
  readonly bootstrap: string;
  readonly alive: boolean;
  /** Starts it again after its death, at the same address with the same data. */
  launch(): Promise<void>;
  stop(): Promise<void>;
};

/** The cluster's broker. One that a killed cluster left running is ended first: two would write to one folder. */
export const startKafka = async (dir: DataDir): Promise<LocalKafka> => {
  mkdirSync(dir.file(PROCESS_FOLDER), { recursive: true });
  const pidFile = dir.file(PROCESS_FOLDER, 'kafka.pid');
  const left = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : 0;
  if (isAliveAs(left, WORD)) await stopProcess(left, 'SIGTERM', STOP_DEADLINE_MS);
  const server = await KafkaServer.start({ dir: join(dir.path, 'kafka') });
  const remember = (): void => writeFileSync(pidFile, String(server.pid ?? 0));
  remember();
  return {
    bootstrap: server.bootstrap,
    get alive() {
      return server.pid !== null;
    },
    launch: async () => {
      await server.launch();
      remember();
    },
    stop: () => server.stop(),
  };
};

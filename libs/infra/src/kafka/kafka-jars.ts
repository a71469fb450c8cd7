import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { isAlive } from '../processes.ts';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../../../..');
const POM = join(ROOT, 'deploy', 'native', 'kafka', 'pom.xml');
const DOWNLOAD_DEADLINE_MS = 300_000;
const LOCK_DEADLINE_MS = DOWNLOAD_DEADLINE_MS + 10_000;

/** What the machine lacks for a Kafka of our own, or why it would not start. */
export class KafkaStartError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'KafkaStartError';
  }
}

const versionOf = (pom: string): string => {
  const version = /<kafka\.version>([^<]+)</.exec(pom)?.[1];
  if (!version) throw new KafkaStartError(`${POM} names no kafka.version`);
  return version;
};

/** Output of a program that failed: Maven says what is wrong on standard output. */
const outputOf = (error: unknown): string => {
  const { stdout = '', stderr = '', message = '' } = error as Partial<Record<string, string>>;
  return `${stdout}\n${stderr}`.trim().slice(-1_000) || message;
};

/** Writes our pid into a file that must not exist yet; one that a dead process left behind is taken away. */
const tryLock = (file: string): boolean => {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    try {
      const owner = Number(readFileSync(file, 'utf8'));
      if (owner > 0 && !isAlive(owner)) rmSync(file, { force: true });
    } catch {
      // the owner removed it in between
    }
    return false;
  }
};

const download = async (folder: string): Promise<void> => {
  const part = `${folder}.part-${process.pid}`;
  try {
    await run('mvn', ['-q', '-B', '-f', POM, 'dependency:copy-dependencies', `-DoutputDirectory=${part}`], {
      timeout: DOWNLOAD_DEADLINE_MS,
      env: { ...process.env, MAVEN_OPTS: '-Xmx256m' },
    });
    renameSync(part, folder);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new KafkaStartError(
      missing
        ? 'Kafka needs Maven to fetch it: install maven and Java 17, or name a broker instead'
        : `Maven could not fetch Kafka: ${outputOf(error)}`,
      error,
    );
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
};

/**
 * The folder with the jars of the Kafka that `deploy/native/kafka/pom.xml` names, fetched once into `.cache` of the
 * project. Processes that ask at once wait for the one that fetches.
 *
 * @throws KafkaStartError when Maven is missing or fails
 */
export const kafkaJars = async (): Promise<string> => {
  const folder = join(ROOT, '.cache', `kafka-${versionOf(readFileSync(POM, 'utf8'))}`);
  if (existsSync(folder)) return folder;
  mkdirSync(join(ROOT, '.cache'), { recursive: true });
  const lock = `${folder}.lock`;
  for (const until = Date.now() + LOCK_DEADLINE_MS; !tryLock(lock);) {
    if (existsSync(folder)) return folder;
    if (Date.now() > until)
      throw new KafkaStartError(`another process has been fetching Kafka for too long (${lock})`);
    await pause(100);
  }
  try {
    if (!existsSync(folder)) await download(folder);
    return folder;
  } finally {
    rmSync(lock, { force: true });
  }
};

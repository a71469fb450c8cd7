import { isAliveAs } from '@gridbourse/infra';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Pid files of managed processes lie here, below the data folder. */
export const PROCESS_FOLDER = 'processes';

/** A process of a platform on this machine. */
export type Member = { readonly name: string; readonly pid: number; readonly alive: boolean };

/** Parts that keep their pid in a file of their own, and the word by which each is known. */
const PARTS = [
  { name: 'postgres', file: 'postgres.json', word: 'postgres' },
  { name: 'chain', file: 'chain.json', word: 'anvil' },
  { name: 'redis', file: join('redis', 'state.json'), word: 'redis-server' },
  { name: 'market', file: 'market.json', word: 'market' },
] as const;

const WORDS: Readonly<Record<string, string>> = { kafka: 'kafka.Kafka' };

/** Every process that a platform on this data folder has besides its main one, dead or alive. */
export const membersOf = (dataDir: string): Member[] => {
  const folder = join(dataDir, PROCESS_FOLDER);
  const managed = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.pid')) : [];
  const members = managed.map((file) => {
    const name = file.slice(0, -'.pid'.length);
    const pid = Number(readFileSync(join(folder, file), 'utf8'));
    return { name, pid, alive: isAliveAs(pid, WORDS[name] ?? `${name}/dist/main.js`) };
  });
  for (const { name, file, word } of PARTS) {
    if (!existsSync(join(dataDir, file))) continue;
    const { pid = 0 } = JSON.parse(readFileSync(join(dataDir, file), 'utf8')) as { pid?: number };
    members.push({ name, pid, alive: isAliveAs(pid, word) });
  }
  return members.sort((a, b) => a.name.localeCompare(b.name));
};

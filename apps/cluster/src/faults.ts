import { isAliveAs } from '@gridbourse/infra';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROCESS_FOLDER } from './service-processes.ts';

/** A process of a running cluster. */
export type Member = { readonly name: string; readonly pid: number; readonly alive: boolean };

/** Parts that keep their pid in a file of their own, and the word by which each is known. */
const PARTS = [
  { name: 'postgres', file: 'postgres.json', word: 'postgres' },
  { name: 'chain', file: 'chain.json', word: 'anvil' },
  { name: 'redis', file: join('redis', 'state.json'), word: 'redis-server' },
  { name: 'market', file: 'market.json', word: 'market' },
] as const;

const WORDS: Readonly<Record<string, string>> = { kafka: 'kafka.Kafka' };

/** Every process of the cluster on a data folder, dead or alive. */
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

/** What can be done to a member. `kill`: as a machine that loses its power; the cluster starts it again. */
export const FAULTS = { kill: 'SIGKILL', pause: 'SIGSTOP', resume: 'SIGCONT' } as const;
export type Fault = keyof typeof FAULTS;

/**
 * Does it to the member of that name.
 * @returns a sentence for the person who asked
 * @throws RangeError when there is no such member, or it does not live
 */
export const inflict = (dataDir: string, fault: Fault, name: string): string => {
  const members = membersOf(dataDir);
  const member = members.find((one) => one.name === name);
  if (!member) {
    const known = members.map((one) => one.name).join(', ') || 'none: no cluster has run on this folder';
    throw new RangeError(`there is no process "${name}" (known: ${known})`);
  }
  if (!member.alive) throw new RangeError(`${name} does not run`);
  process.kill(member.pid, FAULTS[fault]);
  const then = {
    kill: 'the cluster starts it again',
    pause: `it hears nothing until --resume ${name}`,
    resume: 'it goes on',
  }[fault];
  return `${name} (process ${member.pid}): ${FAULTS[fault]} sent; ${then}`;
};

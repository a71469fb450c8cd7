import { holderOf, stopProcess } from '@gridbourse/infra';
import { type Member, membersOf, readSettings } from '@gridbourse/local-platform';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';

const GROUND: ReadonlySet<string> = new Set(['postgres', 'chain', 'kafka', 'redis']);

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const confirmed = async (path: string): Promise<boolean> => {
  if (process.argv.includes('--yes')) return true;
  if (!process.stdin.isTTY) {
    say('There is no one to ask. Say npm run reset -- --yes to erase without a question.');
    return false;
  }
  const prompt = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await prompt.question(
    `Erase all data in ${path}: accounts, orders, ledger, chain? Type "yes": `,
  );
  prompt.close();
  return answer.trim().toLowerCase() === 'yes';
};

const { dataDir } = readSettings(process.env);
if (!existsSync(dataDir)) {
  say(`There is nothing to erase: ${dataDir} does not exist.`);
} else if (holderOf(dataDir) !== undefined) {
  say(
    `Gridbourse is running on ${dataDir} (process ${holderOf(dataDir)}). Stop it first (Ctrl-C in its window).`,
  );
  process.exitCode = 1;
} else if (!existsSync(join(dataDir, 'layout.json'))) {
  say(`${dataDir} does not look like a data folder of Gridbourse; nothing was erased.`);
  process.exitCode = 1;
} else if (await confirmed(dataDir)) {
  // The market and the services first, what they stand on after them.
  const left = membersOf(dataDir).filter(({ alive }) => alive);
  const isGround = ({ name }: Member): boolean => GROUND.has(name);
  for (const members of [left.filter((one) => !isGround(one)), left.filter(isGround)]) {
    await Promise.all(members.map(({ pid }) => stopProcess(pid, 'SIGTERM', 5_000)));
  }
  rmSync(dataDir, { recursive: true, force: true });
  say(`Erased ${dataDir}. npm start begins anew.`);
} else {
  say('Nothing was erased.');
  process.exitCode = 1;
}

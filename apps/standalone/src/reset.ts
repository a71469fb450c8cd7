import { holderOf, isAliveAs, stopProcess } from '@gridbourse/infra';
import { readSettings } from '@gridbourse/local-platform';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';

/** Processes that an earlier run may have left, by the file that names their pid. */
const LEFT = [
  ['market.json', 'market'],
  ['chain.json', 'anvil'],
  ['postgres.json', 'postgres'],
] as const;

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
  for (const [name, program] of LEFT) {
    const file = join(dataDir, name);
    if (!existsSync(file)) continue;
    const { pid } = JSON.parse(readFileSync(file, 'utf8')) as { pid?: number };
    if (pid !== undefined && isAliveAs(pid, program)) await stopProcess(pid, 'SIGTERM', 5_000);
  }
  rmSync(dataDir, { recursive: true, force: true });
  say(`Erased ${dataDir}. npm start begins anew.`);
} else {
  say('Nothing was erased.');
  process.exitCode = 1;
}

import { parseUsdc } from '@gridbourse/kernel';
import type { Command } from 'commander';
import pc from 'picocolors';
import { wholeNumber } from '../arguments.ts';
import { deposit, demandPrivateKey, setSpendingLimit } from '../chain/escrow-actions.ts';
import { type Context, contextOf, globalOptions, print } from '../context.ts';
import { DEFAULT_ORIGIN, demoTenant } from '../credentials.ts';
import { EXIT } from '../exit-codes.ts';
import { answers, startPlatform } from './local-platform.ts';
import { MarketControl } from './market-control.ts';
import { demandQuietBooks } from './quiet-books.ts';
import { booksAgree, makeReport, reportTable } from './report.ts';
import { SCENARIOS } from './scenarios.ts';
import { Stage } from './stage.ts';

/** What all scenarios together lock at the same time, with room to spare. */
const ESCROW = parseUsdc('200');
const MAX_RATE = parseUsdc('500');

type DemoOptions = { run?: string; waitSeconds: number; start: boolean };

const fillEscrow = async (context: Context): Promise<void> => {
  const escrow = await context.client.escrow();
  const missing = ESCROW - BigInt(escrow.free.micros);
  const key = demandPrivateKey(context.credentials.privateKey);
  if (missing > 0n) await deposit(escrow, key, missing);
  const maxLockedMicros = ESCROW * 10n;
  if (BigInt(escrow.spendingLimit?.maxLocked.micros ?? '0') < maxLockedMicros) {
    await setSpendingLimit(escrow, key, { maxRateMicrosPerHour: MAX_RATE, maxLockedMicros }, Date.now());
  }
};

const play = async (context: Context, options: DemoOptions): Promise<void> => {
  const waitMs = options.waitSeconds * 1_000;
  const run = options.run ?? crypto.randomUUID();
  const stage = new Stage(context.client, run, waitMs, (line) => {
    for (const part of line.split('\n')) context.say(`    ${part}`);
  });
  await fillEscrow(context);
  await stage.until(
    () => context.client.escrow(),
    (e) => BigInt(e.free.micros) >= ESCROW && e.spendingLimit !== null,
    'the deposit to be seen on chain',
  );
  const before = await context.client.books();
  // A run that is played again by its name may find leases of its own.
  if (options.run === undefined) demandQuietBooks(before);
  const market = MarketControl.find();
  try {
    for (const [index, scenario] of SCENARIOS.entries()) {
      context.say(`\n${pc.bold(`${index + 1}. ${scenario.title}`)}`);
      await scenario.play(stage, market);
    }
  } catch (error) {
    await stage.tidy().catch(() => context.say('some orders of this run could not be ended'));
    throw error;
  }
  context.say(`\n${pc.bold('The books')}`);
  const report = await stage.until(
    () => makeReport(context.client, stage.orderIds, before),
    booksAgree,
    'meter, ledger and chain to agree',
  );
  context.say(reportTable(report));
  context.result(report);
};

export const addDemo = (program: Command): void => {
  program
    .command('demo')
    .description('play the whole life of orders and leases, then show that the books agree')
    .option('--run <id>', 'name of this run: the same name repeats no order (default: a new one)')
    .option('--no-start', 'never start a platform: wait for the one that is meant to run')
    .option('--wait-seconds <n>', 'how long each step may take', wholeNumber(1, 86_400), 60)
    .action(async (options: DemoOptions, command: Command) => {
      const { json, ...global } = globalOptions(command);
      const say = (line: string): void => {
        if (!json) print(line);
      };
      const origin =
        global.origin ?? process.env['GRIDBOURSE_ORIGIN'] ?? demoTenant()?.origin ?? DEFAULT_ORIGIN;
      let stop: (() => Promise<void>) | undefined;
      if (options.start && !(await answers(origin)) && new URL(origin).hostname === '127.0.0.1') {
        say('Nothing runs here yet: starting the platform first.');
        stop = await startPlatform(say);
      }
      try {
        await play(contextOf(command, { deadlineMs: options.waitSeconds * 1_000 }), options);
      } catch (error) {
        if (error instanceof Error && error.name === 'DemoTimeout') process.exitCode = EXIT.broken;
        throw error;
      } finally {
        await stop?.();
      }
    });
};

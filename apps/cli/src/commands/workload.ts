import type { Command } from 'commander';
import { wholeNumber } from '../arguments.ts';
import { contextOf, print } from '../context.ts';
import { clock, table, usdc } from '../output/tables.ts';

export const addWorkload = (program: Command): void => {
  program
    .command('logs <lease>')
    .description('what the containers wrote')
    .option('--service <name>', 'which service of the manifest (default: its first)')
    .option('--replica <n>', 'which of its replicas, from 0', wholeNumber(0, 9_999))
    .option('--tail <lines>', 'only the last lines', wholeNumber(1, 100_000), 200)
    .action(
      async (
        leaseId: string,
        options: { service?: string; replica?: number; tail: number },
        command: Command,
      ) => {
        const { client, json, result } = contextOf(command);
        const text = await client.logs(leaseId, {
          tail: options.tail,
          ...(options.service === undefined ? {} : { service: options.service }),
          ...(options.replica === undefined ? {} : { replica: options.replica }),
        });
        if (json) result({ leaseId, lines: text.split('\n').filter((line) => line !== '') });
        else print(text.trimEnd());
      },
    );

  program
    .command('usage <lease>')
    .description('metered seconds, window by window')
    .action(async (leaseId: string, _: unknown, command: Command) => {
      const { client, say, result } = contextOf(command);
      const page = await client.usage(leaseId);
      result(page);
      say(
        table(
          ['from', 'to', 'seconds', 'so far', 'earned'],
          page.items.map((w) => [
            clock(w.windowStart),
            clock(w.windowEnd),
            String(w.seconds),
            String(w.cumulativeSeconds),
            usdc(w.earned),
          ]),
        ),
      );
    });
};

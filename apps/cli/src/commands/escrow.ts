import { maxMicros } from '@gridbourse/kernel';
import type { Command } from 'commander';
import { parsePositiveUsdc } from '../arguments.ts';
import { demandPrivateKey, deposit, setSpendingLimit } from '../chain/escrow-actions.ts';
import { contextOf } from '../context.ts';
import { perHour, table, usdc } from '../output/tables.ts';

export const addEscrow = (program: Command): void => {
  const escrow = program.command('escrow').description('the money on chain');

  escrow
    .command('show')
    .description('balances, limits, and where to deposit')
    .action(async (_: unknown, command: Command) => {
      const { client, say, result } = contextOf(command);
      const found = await client.escrow();
      result(found);
      const limit = found.spendingLimit;
      say(
        table(
          ['', ''],
          [
            ['deposited', usdc(found.deposited)],
            ['free', usdc(found.free)],
            ['locked', usdc(found.locked)],
            ['spent', usdc(found.spent)],
            ['withdrawn', usdc(found.withdrawn)],
            [
              'limit',
              limit
                ? `${perHour(limit.maxRatePerHour)} and ${usdc(limit.maxLocked)} locked over all open leases, until ${limit.validUntil}`
                : 'none: set one with escrow deposit',
            ],
            [
              'contract',
              `${found.chain.computeMarket} on chain ${found.chain.chainId} (${found.chain.rpcUrl})`,
            ],
            ['token', found.chain.usdc],
          ],
        ),
      );
    });

  escrow
    .command('deposit <usdc>')
    .description('move USDC from your wallet into the escrow, and allow the platform to lock up to that much')
    .option('--max-rate <usdc>', 'the most all open leases together may cost per hour', '1000')
    .action(async (amount: string, options: { maxRate: string }, command: Command) => {
      const { client, credentials, say, result } = contextOf(command);
      const micros = parsePositiveUsdc(amount);
      const maxRate = parsePositiveUsdc(options.maxRate);
      const privateKey = demandPrivateKey(credentials.privateKey);
      const before = await client.escrow();
      const hashes = await deposit(before, privateKey, micros);
      // A limit that the tenant set higher stays: a deposit takes nothing away.
      const known = before.spendingLimit;
      const locked = maxMicros(
        BigInt(before.locked.micros) + BigInt(before.free.micros) + micros,
        BigInt(known?.maxLocked.micros ?? '0'),
      );
      const rate = maxMicros(maxRate, BigInt(known?.maxRatePerHour.micros ?? '0'));
      hashes.push(
        await setSpendingLimit(
          before,
          privateKey,
          { maxRateMicrosPerHour: rate, maxLockedMicros: locked },
          Date.now(),
        ),
      );
      result({ depositedMicros: micros.toString(), transactions: hashes });
      say(`Deposited $${amount}. Last transaction ${hashes.at(-1)}`);
    });
};

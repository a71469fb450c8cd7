import { DomainError } from '@gridbourse/kernel';
import type { Command } from 'commander';
import { demandPrivateKey, extendLease } from '../chain/escrow-actions.ts';
import { contextOf } from '../context.ts';
import { parseDuration } from './order-options.ts';
import { gpuText } from '../output/gpu-text.ts';
import { clock, partText, percent, perHour, state, table, usdc } from '../output/tables.ts';

export const addLease = (program: Command): void => {
  const lease = program.command('lease').description('what runs, what ran, and what it cost');

  lease
    .command('ls')
    .description('leases, newest first')
    .option('--state <state>', 'only leases in this state')
    .action(async (options: { state?: string }, command: Command) => {
      const { client, say, result } = contextOf(command);
      const page = await client.leases(options);
      result(page);
      say(
        table(
          ['lease', 'provider', 'GPU', 'state', 'rate', 'since', 'paid', 'refunded'],
          page.items.map((l) => [
            l.leaseId,
            l.providerId,
            gpuText(l.gpu),
            l.closeReason ? `${state(l.state)} (${l.closeReason})` : state(l.state),
            perHour(l.rate),
            clock(l.runningSince),
            usdc(l.paid),
            usdc(l.refunded),
          ]),
        ),
      );
    });

  lease
    .command('show <lease>')
    .description('one lease with its workload')
    .action(async (leaseId: string, _: unknown, command: Command) => {
      const { client, say, result } = contextOf(command);
      const found = await client.lease(leaseId);
      const workload = await client.workload(leaseId).catch(() => null);
      result({ ...found, workload });
      const rows: [string, string][] = [
        ['lease', found.leaseId],
        ['order', found.orderId],
        ['group', partText(found.group, found.part)],
        ['provider', found.providerId],
        ['GPU', gpuText(found.gpu)],
        ['state', found.closeReason ? `${found.state} (${found.closeReason})` : found.state],
        ...(found.closeDetail ? [['', found.closeDetail] as [string, string]] : []),
        [
          'rate',
          `${perHour(found.rate)}, cloud list ${perHour(found.listRate)}, saving ${percent(found.saving)}`,
        ],
        ['lock', `${usdc(found.lock)} for ${found.durationSeconds} s`],
        ['on chain', found.chainLeaseKey ?? '-'],
        ['paid', usdc(found.paid)],
        ['refunded', usdc(found.refunded)],
      ];
      if (workload) {
        rows.push([
          'workload',
          `${workload.observed} (wanted: ${workload.desired}), ${workload.seconds} s metered`,
        ]);
        for (const service of workload.services)
          rows.push(['', `${service.name} ${service.ready}/${service.replicas}`]);
        for (const endpoint of workload.endpoints) rows.push(['', endpoint.url]);
      }
      say(table(['', ''], rows));
    });

  lease
    .command('extend <lease> <time>')
    .description(
      'let it run for longer, like 30m, 2h, 1d: signed by your wallet, locked from your free balance',
    )
    .action(async (leaseId: string, time: string, _: unknown, command: Command) => {
      const { client, credentials, say, result } = contextOf(command);
      const addedSeconds = parseDuration(time);
      const privateKey = demandPrivateKey(credentials.privateKey);
      const { chainLeaseKey, state: now } = await client.lease(leaseId);
      if (chainLeaseKey === null) {
        throw new DomainError(
          'conflict',
          'not_on_chain',
          `lease ${leaseId} is ${now} and not on the chain yet`,
        );
      }
      const hash = await extendLease(await client.escrow(), privateKey, chainLeaseKey, addedSeconds);
      result({ leaseId, addedSeconds, transaction: hash });
      say(`${leaseId} may run ${addedSeconds} s longer. Transaction ${hash}`);
    });

  lease
    .command('close <lease>')
    .description('end it: the workload is removed, what ran is paid, the rest refunded')
    .action(async (leaseId: string, _: unknown, command: Command) => {
      const { client, say, result } = contextOf(command);
      const closing = await client.closeLease(leaseId);
      result(closing);
      say(`${closing.leaseId} ${state(closing.state)}`);
    });
};

import type { Command } from 'commander';
import { contextOf } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { gpuText } from '../output/gpu-text.ts';
import { explanationText, partText, percent, perHour, table, usdc } from '../output/tables.ts';
import { manifestRequest, type OrderOptions, withOrderOptions } from './order-options.ts';

export const addQuote = (program: Command): void => {
  withOrderOptions(
    program.command('quote').description('price a manifest against live offers; changes nothing'),
  ).action(async (options: OrderOptions, command: Command) => {
    const { client, say, result } = contextOf(command);
    const quote = await client.quote(manifestRequest(options));
    result(quote);
    for (const warning of quote.warnings) say(`note: ${warning}`);
    if (!quote.matched) {
      if (quote.explanation) say(explanationText(quote.explanation));
      process.exitCode = EXIT.refused;
      return;
    }
    for (const lease of quote.leases) {
      if (lease.parts.length > 0) {
        say(
          table(
            ['group', 'provider', 'rate', 'score'],
            lease.parts.map((p) => [
              partText(lease.group, p),
              p.providerId,
              perHour(p.rate),
              p.score.toFixed(3),
            ]),
          ),
        );
        continue;
      }
      say(
        table(
          ['group', 'provider', 'region', 'gpu', 'rate', 'score', 'cost', 'geo', 'perf', 'rel', 'fit'],
          lease.candidates.map((c) => [
            lease.group,
            c.providerId,
            c.region,
            gpuText(c.gpu),
            perHour(c.rate),
            c.score.toFixed(3),
            ...[c.terms.cost, c.terms.geography, c.terms.performance, c.terms.reliability, c.terms.fit].map(
              (t) => t.toFixed(2),
            ),
          ]),
        ),
      );
    }
    say(
      `\n${perHour(quote.rate)}, ${usdc(quote.total)} in all; cloud list ${perHour(quote.listRate)}, saving ${percent(quote.saving)}`,
    );
  });
};

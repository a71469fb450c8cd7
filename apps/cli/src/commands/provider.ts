import type { Offer, Provider } from '@gridbourse/sdk';
import type { Command } from 'commander';
import { contextOf } from '../context.ts';
import { unitText } from '../output/gpu-text.ts';
import { percent, perHour, state, table } from '../output/tables.ts';

const everyOne = async <T>(pages: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const one of pages) all.push(one);
  return all;
};

export const addProvider = (program: Command): void => {
  const provider = program.command('provider').description('who sells, and what');

  provider
    .command('ls')
    .description('providers with their offers')
    .action(async (_: unknown, command: Command) => {
      const { client, say, result } = contextOf(command, { anonymous: true });
      const providers = await everyOne<Provider>(
        client.all((page) => client.providers({ ...page, limit: 200 })),
      );
      const offers = await everyOne<Offer>(client.all((page) => client.offers({ ...page, limit: 200 })));
      result({ providers, offers });
      say(
        table(
          ['provider', 'region', 'tier', 'state', 'GPU', 'unit', 'count', 'per unit', 'cloud list', 'saving'],
          providers.flatMap((p) => {
            const own = offers.filter((o) => o.providerId === p.providerId);
            const head = [p.name, p.place.region, String(p.tier), state(p.state)];
            if (own.length === 0) return [[...head, ...Array<string>(6).fill('-')]];
            return own.map((o, index) => [
              ...(index === 0 ? head : ['', '', '', '']),
              o.gpu ? `${o.gpu.model} ${Math.round(o.gpu.vramMiB / 1024)}G` : 'CPU',
              unitText(o.gpu),
              o.gpu ? String(o.gpusTotal) : '-',
              perHour(o.gpu ? o.price.perGpu : o.price.perCpuCore),
              perHour(o.listPricePerGpuHour),
              percent(o.saving),
            ]);
          }),
        ),
      );
    });
};

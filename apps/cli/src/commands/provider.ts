import type { Command } from 'commander';
import { contextOf } from '../context.ts';
import { unitText } from '../output/gpu-text.ts';
import { percent, perHour, state, table } from '../output/tables.ts';

export const addProvider = (program: Command): void => {
  const provider = program.command('provider').description('who sells, and what');

  provider
    .command('ls')
    .description('providers with their offers')
    .action(async (_: unknown, command: Command) => {
      const { client, say, result } = contextOf(command, { anonymous: true });
      const providers = await client.providers({ limit: 200 });
      const offers = await client.offers({ limit: 200 });
      result({ providers: providers.items, offers: offers.items });
      say(
        table(
          ['provider', 'region', 'tier', 'state', 'GPU', 'unit', 'count', 'per unit', 'cloud list', 'saving'],
          providers.items.flatMap((p) => {
            const own = offers.items.filter((o) => o.providerId === p.providerId);
            const head = [p.name, p.place.region, String(p.tier), state(p.state)];
            if (own.length === 0) return [[...head, ...Array<string>(6).fill('-')]];
            return own.map((o, index) => [
              ...(index === 0 ? head : ['', '', '', '']),
              o.gpu ? `${o.gpu.model} ${Math.round(o.gpu.vramMiB / 1024)}G` : 'CPU',
              unitText(o.gpu),
              String(o.gpusTotal),
              perHour(o.gpu ? o.price.perGpu : o.price.perCpuCore),
              perHour(o.listPricePerGpuHour),
              percent(o.saving),
            ]);
          }),
        ),
      );
    });
};

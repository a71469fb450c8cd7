import { readFileSync } from 'node:fs';
import { createLogger } from '@gridbourse/observability';
import { startMarket } from './market.ts';
import { marketSettings } from '@gridbourse/local-platform';

const logger = createLogger('market');

const main = async (): Promise<void> => {
  const [file] = process.argv.slice(2);
  if (file === undefined) throw new Error('usage: local-market/dist/main.js SETTINGS.json');
  const settings = marketSettings.parse(JSON.parse(readFileSync(file, 'utf8')));
  const market = await startMarket(settings, logger);
  const signalled = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  await Promise.race([market.stopAsked, signalled]);
  logger.info({}, 'stopping');
  await market.close();
};

main().then(
  () => process.exit(0),
  (error: unknown) => {
    logger.error({ err: error }, 'the local market failed');
    process.exit(1);
  },
);

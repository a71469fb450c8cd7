import type { MarketProgram } from '@gridbourse/local-platform';
import { fileURLToPath } from 'node:url';

const fromSource = import.meta.url.endsWith('.ts');

/** How to start this program, built or from source. */
export const localMarketProgram: MarketProgram = {
  nodeArguments: fromSource
    ? [
        '--import',
        fileURLToPath(new URL('../../../tools/swc-register.mjs', import.meta.url)),
        '--conditions=@gridbourse/source',
      ]
    : [],
  entry: fileURLToPath(new URL(fromSource ? './main.ts' : './main.js', import.meta.url)),
};

import { runAlone } from '@gridbourse/api';
import { chainIndexerService } from './chain-indexer.service.ts';

await runAlone(chainIndexerService);

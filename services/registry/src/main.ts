import { runAlone } from '@gridbourse/api';
import { registryService } from './registry.service.ts';

await runAlone(registryService);

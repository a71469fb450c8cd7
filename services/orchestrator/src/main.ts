import 'reflect-metadata';
import { runAlone } from '@gridbourse/api';
import { orchestratorService } from './orchestrator.service.ts';

await runAlone(orchestratorService);

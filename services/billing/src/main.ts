import { runAlone } from '@gridbourse/api';
import { billingService } from './billing.service.ts';

await runAlone(billingService);

import { runAlone } from '@gridbourse/api';
import { matchmakerService } from './matchmaker.service.ts';

await runAlone(matchmakerService);

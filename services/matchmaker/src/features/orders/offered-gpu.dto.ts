import { offerGpu } from '@gridbourse/events';

/** The GPUs of an offer; `sharing` says what one of them is, and so what is counted and priced. */
export const offeredGpuDto = offerGpu.meta({ id: 'OfferedGpu' });

import { type OfferGpu, offerGpu } from '@gridbourse/events';

/** The GPUs of an offer; `sharing` says what one of them is, and so what is counted and priced. */
export const offeredGpuDto = offerGpu.meta({ id: 'OfferedGpu' });

/** What one GPU of an offer is, in a word: `whole`, a MIG profile such as `1g.10gb`, a time slice such as `1/10`. */
export const gpuUnitText = ({ sharing }: Pick<OfferGpu, 'sharing'>): string => {
  if (sharing.mode === 'mig') return sharing.profile;
  return sharing.mode === 'shared' ? `1/${sharing.slotsPerGpu}` : 'whole';
};

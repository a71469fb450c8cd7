import type { GpuRequest, GpuSharing } from '@gridbourse/events';

/** Thousandths of one GPU that each slot is good for: what is left over by the division is nobody's. */
export const slotMilli = (slotsPerGpu: number): number => Math.floor(1_000 / slotsPerGpu);

/**
 * Whether GPUs that are sold so are of the kind that was asked for, whatever the model. No kind stands in for another:
 * whole GPUs are never given in slices, and time slices have no isolation, so only who asks for them gets them.
 */
export const sharingSuits = (asked: GpuRequest['sharing'], sold: GpuSharing): boolean => {
  if (asked.mode !== 'shared') return asked.mode === sold.mode;
  return sold.mode === 'shared' && slotMilli(sold.slotsPerGpu) >= asked.milli;
};

/** What an offer sells, in words. */
export const soldInWords = (sold: GpuSharing): string => {
  if (sold.mode === 'mig') return `MIG slices of ${sold.profile}`;
  return sold.mode === 'shared' ? `time slices of 1/${sold.slotsPerGpu}` : 'whole GPUs';
};

/** What a request asks for, in words. */
export const askedInWords = ({ sharing, models }: Pick<GpuRequest, 'sharing' | 'models'>): string => {
  if (sharing.mode === 'whole') return 'whole GPUs';
  if (sharing.mode === 'shared') return `time slices of at least ${sharing.milli} thousandths`;
  const profiles = [...new Set(models.map(({ migProfile }) => migProfile ?? 'any profile'))];
  return `MIG slices of ${profiles.length === 0 ? 'any profile' : profiles.join(' or ')}`;
};

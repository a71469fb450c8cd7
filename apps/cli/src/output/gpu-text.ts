import { unitName } from '@gridbourse/catalog';
import type { OfferedGpu } from '@gridbourse/sdk';

/** What one of the GPUs is: `h100`, `a100 MIG 1g.10gb`, `rtx4090 1/4 shared`; a dash where there is none. */
export const gpuText = (gpu: Pick<OfferedGpu, 'model' | 'sharing'> | null): string => {
  if (gpu === null) return '-';
  return gpu.sharing.mode === 'whole' ? gpu.model : `${gpu.model} ${unitName(gpu.sharing)}`;
};

/** What is sold and priced as one: `whole`, `MIG 1g.10gb`, `1/4 shared`. */
export const unitText = (gpu: Pick<OfferedGpu, 'sharing'> | null): string => {
  if (gpu === null) return 'core';
  return gpu.sharing.mode === 'whole' ? 'whole' : unitName(gpu.sharing);
};

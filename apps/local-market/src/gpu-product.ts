import { findGpu } from '@gridbourse/catalog';
import type { MarketOffer } from '@gridbourse/catalog';

/** Where the driver's name of a card says more than the model, or says it otherwise. */
const DRIVER_NAMES: Readonly<Record<string, string>> = {
  'a100/40960/sxm': 'NVIDIA-A100-SXM4-40GB',
  'a100/40960/pcie': 'NVIDIA-A100-PCIE-40GB',
  'a100/81920/sxm': 'NVIDIA-A100-SXM4-80GB',
  'a100/81920/pcie': 'NVIDIA-A100-80GB-PCIe',
  'h100/81920/sxm': 'NVIDIA-H100-80GB-HBM3',
  'h100/81920/pcie': 'NVIDIA-H100-PCIe',
  'h100/96256/pcie': 'NVIDIA-H100-NVL',
  'v100/16384/sxm': 'Tesla-V100-SXM2-16GB',
  'v100/32768/sxm': 'Tesla-V100-SXM2-32GB',
};

/** What GPU Feature Discovery writes into the label `nvidia.com/gpu.product` of such a machine. */
export const gpuProduct = (gpu: NonNullable<MarketOffer['gpu']>): string => {
  const known = DRIVER_NAMES[`${gpu.model}/${gpu.vramMiB}/${gpu.interface}`];
  return known ?? findGpu(gpu.model)!.name.replace(/[^A-Za-z0-9]+/g, '-');
};

import { gpuAliases, gpuModels, nominalVramMiB } from './gpu-models.ts';
import type { GpuInterface, GpuModel } from './gpu-types.ts';
import { readMigProfile } from './mig.ts';

/** What a written name of a GPU says, beyond the model. */
export type GpuName = {
  readonly model: GpuModel;
  /** Nominal; null when the name does not say it. */
  readonly vramMiB: number | null;
  readonly interface: GpuInterface | null;
  /** `shared`: time-sliced among tenants. A MIG profile like `1g.10gb`: a hardware slice of one GPU. */
  readonly sharing:
    { readonly kind: 'whole' | 'shared' } | { readonly kind: 'mig'; readonly profile: string };
};

/** Makers' and drivers' words that say nothing about which model it is. */
const NOISE = new Set(
  (
    'nvidia amd geforce tesla quadro radeon instinct gpu graphics generation edition lambdacloud ' +
    'workstation server blackwell hbm2 hbm2e hbm3 hbm3e gddr6 gddr6x gddr7 nvlink gen4 gen5'
  ).split(' '),
);
const MAX_NAME_LENGTH = 120;
const MIG_SUFFIX = /[-.]mig-?(\d+g\.\d+gb(?:[+.]me)?)$/;
const SHARED_SUFFIX = /[-.]shared$/;
const SIZE = /^(\d{1,4})(?:gb|gib|gi|g)$/;
/** Alibaba's trace writes V100M16 and V100M32. */
const TRACE_SIZE = /^([a-z]+\d+)m(\d{2})$/;
const SOCKET = /^sxm\d?$|^oam$/;

const squeeze = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');

const byKey = new Map<string, GpuModel>();
for (const model of gpuModels) {
  for (const key of [model.id, ...(gpuAliases.get(model.id) ?? [])]) byKey.set(squeeze(key), model);
}

/**
 * Reads a GPU name as people, drivers, Kubernetes labels and marketplaces write it: `rtx4090`,
 * `NVIDIA-GeForce-RTX-4090`, `H100 SXM5 80GB`, `RTX_4070S_Ti`, `NVIDIA-A100-SXM4-80GB-MIG-1g.10gb`. Null for anything it
 * does not know: a laptop chip is not the desktop card of the same number.
 */
export const readGpuName = (text: string): GpuName | null => {
  if (text.length > MAX_NAME_LENGTH) return null;
  let rest = text
    .trim()
    .toLowerCase()
    .replace(/[\s_/]+/g, '-');
  const mig = MIG_SUFFIX.exec(rest);
  const profile = mig ? readMigProfile(mig[1]!) : null;
  if (mig && profile === null) return null;
  const shared = SHARED_SUFFIX.test(rest);
  rest = rest.replace(mig ? MIG_SUFFIX : SHARED_SUFFIX, '');

  let gigabytes: number | null = null;
  let bus: GpuInterface | null = null;
  const words: string[] = [];
  for (const word of rest.split('-')) {
    const size = SIZE.exec(word);
    const trace = TRACE_SIZE.exec(word);
    if (word === 'laptop' || word === 'mobile') return null;
    if (size) gigabytes = Number(size[1]);
    else if (SOCKET.test(word)) bus = 'sxm';
    else if (word === 'pcie') bus = 'pcie';
    else if (word === 'nvl') {
      bus = 'pcie';
      if (words.at(-1) === 'h100') gigabytes ??= 94;
    } else if (trace && !byKey.has(word)) {
      words.push(trace[1]!);
      gigabytes = Number(trace[2]);
    } else if (!NOISE.has(word)) words.push(word);
  }
  const model = byKey.get(squeeze(words.join('')));
  if (!model) return null;
  return {
    model,
    vramMiB: gigabytes === null ? null : nominalVramMiB(model, gigabytes * 1024),
    interface: bus,
    sharing: profile === null ? { kind: shared ? 'shared' : 'whole' } : { kind: 'mig', profile },
  };
};

/** The model that a name or alias means, or null. */
export const findGpu = (nameOrAlias: string): GpuModel | null => readGpuName(nameOrAlias)?.model ?? null;

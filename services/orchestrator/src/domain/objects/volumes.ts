import type { ServiceSpec, VolumeSpec } from '@gridbourse/events';
import { LABEL_SERVICE } from './names.ts';
import type { ObjectOptions } from './object-types.ts';

type Part = Record<string, unknown>;

const volumeName = (index: number, volume: VolumeSpec): string => {
  const readable = volume.name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40)
    .replace(/-+$/, '');
  return readable === '' ? `v${index}` : `v${index}-${readable}`;
};

/** A volume without a path is the root disk if it is ephemeral; the others need some place. */
const pathOf = (volume: VolumeSpec): string | null =>
  volume.mountPath ?? (volume.kind === 'ephemeral' ? null : `/mnt/${volume.name}`);

const claimSpec = (volume: VolumeSpec, options: ObjectOptions): Part => {
  const { storageClass } = volume;
  const named = storageClass === null || storageClass === 'default' ? null : storageClass;
  return {
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: `${volume.sizeMiB}Mi` } },
    ...(named === null ? {} : { storageClassName: options.storageClasses[named] ?? named }),
  };
};

const sourceOf = (volume: VolumeSpec, options: ObjectOptions, labels: Record<string, string>): Part => {
  const sizeLimit = `${volume.sizeMiB}Mi`;
  switch (volume.kind) {
    case 'ephemeral':
      return { emptyDir: { sizeLimit } };
    case 'ram':
      return { emptyDir: { medium: 'Memory', sizeLimit } };
    case 'persistent':
      // For pods of a Job, which has no claim templates: the claim lives as long as its pod.
      return {
        ephemeral: { volumeClaimTemplate: { metadata: { labels }, spec: claimSpec(volume, options) } },
      };
  }
};

export const hasPersistentVolume = (service: ServiceSpec): boolean =>
  service.resources.volumes.some((volume) => volume.kind === 'persistent');

/** MiB of the node's own disk that one replica may fill. */
export const ephemeralMiB = (service: ServiceSpec): number =>
  service.resources.volumes.reduce(
    (sum, { kind, sizeMiB }) => (kind === 'ephemeral' ? sum + sizeMiB : sum),
    0,
  );

export type VolumeParts = { volumes: Part[]; mounts: Part[]; claimTemplates: Part[] };

/** @param options.claims persistent volumes become claim templates of a StatefulSet instead of volumes of the pod */
export const volumeParts = (
  service: ServiceSpec,
  options: ObjectOptions & { claims: boolean; labels: Record<string, string> },
): VolumeParts => {
  const parts: VolumeParts = { volumes: [], mounts: [], claimTemplates: [] };
  for (const [index, volume] of service.resources.volumes.entries()) {
    const mountPath = pathOf(volume);
    if (mountPath === null) continue;
    const name = volumeName(index, volume);
    const labels = { ...options.labels, [LABEL_SERVICE]: service.name };
    parts.mounts.push({ name, mountPath, ...(volume.readOnly ? { readOnly: true } : {}) });
    if (volume.kind === 'persistent' && options.claims) {
      parts.claimTemplates.push({ metadata: { name, labels }, spec: claimSpec(volume, options) });
    } else parts.volumes.push({ name, ...sourceOf(volume, options, labels) });
  }
  return parts;
};

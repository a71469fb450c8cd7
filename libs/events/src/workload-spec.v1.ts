import { z } from 'zod';
import { gpuRequest, placementGroup, serviceSpec, workloadSpec } from './workload-spec.ts';

/** As it was while whole GPUs were all that was sold, and a group went to one provider. Never changes again. */
const gpuRequestV1 = gpuRequest.omit({ sharing: true }).extend({
  models: z
    .array(gpuRequest.shape.models.element.omit({ migProfile: true }))
    .describe('Any of these will do; empty means any model of the vendor.'),
});

const serviceSpecV1 = serviceSpec.extend({
  resources: serviceSpec.shape.resources.extend({ gpu: gpuRequestV1.nullable() }),
});

export const placementGroupV1 = placementGroup
  .omit({ interconnect: true, maxProviders: true })
  .extend({ services: z.array(serviceSpecV1).min(1).max(64) });

export const workloadSpecV1 = workloadSpec.extend({ groups: z.array(placementGroupV1).min(1).max(16) });

type PlacementGroupV1 = z.output<typeof placementGroupV1>;
type GpuRequestV1 = z.output<typeof gpuRequestV1>;

const upcastGpu = (gpu: GpuRequestV1): z.output<typeof gpuRequest> => ({
  ...gpu,
  sharing: { mode: 'whole' },
  models: gpu.models.map((model) => ({ ...model, migProfile: null })),
});

export const upcastGroup = (group: PlacementGroupV1): z.output<typeof placementGroup> => ({
  ...group,
  interconnect: null,
  maxProviders: 1,
  services: group.services.map((service) => ({
    ...service,
    resources: { ...service.resources, gpu: service.resources.gpu && upcastGpu(service.resources.gpu) },
  })),
});

export const upcastSpec = (spec: z.output<typeof workloadSpecV1>): z.output<typeof workloadSpec> => ({
  ...spec,
  groups: spec.groups.map(upcastGroup),
});

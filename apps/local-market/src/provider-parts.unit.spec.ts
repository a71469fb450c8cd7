import { localMarket } from '@gridbourse/catalog';
import { kubernetesNode, machineOf, planOffers, priceRule } from '@gridbourse/provider-agent';
import { formatUsdc } from '@gridbourse/kernel';
import { nodeObject } from '@gridbourse/kube-sim';
import { describe, expect, it } from '@jest/globals';
import { nodesOf, pricesOf } from './provider-parts.ts';

describe('the providers of the local market', () => {
  it.each(localMarket.providers.map((provider) => [provider.key, provider] as const))(
    '%s: what its agent reads from its cluster is what the catalogue says it sells',
    (_, provider) => {
      const machines = nodesOf(provider).map((node, index) => {
        const { metadata, spec, status } = nodeObject(node, index);
        const ready = { ...status, conditions: [{ type: 'Ready', status: 'True' }] };
        return machineOf(kubernetesNode.parse({ metadata, spec, status: ready }));
      });
      const prices = pricesOf(provider).map((rule) => priceRule.parse(rule));
      const { offers, leftOut } = planOffers(machines, prices);
      expect(leftOut).toEqual([]);
      expect(
        offers.map(({ gpu, nodes, price, storageClasses }) => ({
          gpu,
          nodes,
          perGpu: price.perGpuUsdcPerHour,
          storageClasses,
        })),
      ).toEqual(
        provider.offers.map(({ gpu, nodes, price, storageClasses }) => ({
          gpu: gpu && {
            ...{ model: gpu.model, vramMiB: gpu.vramMiB, interface: gpu.interface },
            sharing: gpu.sharing,
          },
          nodes,
          perGpu: formatUsdc(price.perGpu),
          storageClasses,
        })),
      );
    },
  );
});

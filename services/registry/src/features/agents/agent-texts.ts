import { canonicalJson } from '@gridbourse/kernel';
import type { registryV1 } from '@gridbourse/proto';
import { createHash } from 'node:crypto';

// The texts that a provider's wallet signs (EIP-191), as proto/gridbourse/registry/v1/agent.proto defines them.

export const helloText = (providerId: string, issuedAtMs: string): string =>
  `gridbourse-agent:${providerId}:${issuedAtMs}`;

export const challengeText = (challengeId: string, nonce: string): string =>
  `gridbourse-challenge:${challengeId}:${nonce}`;

const digest = (value: unknown): string => createHash('sha256').update(canonicalJson(value)).digest('hex');

/** Agents of before know nothing of the field, and sign without it. */
const withoutEmptySharing = ({
  gpuSharing,
  ...node
}: registryV1.NodeInventory): Partial<registryV1.NodeInventory> =>
  gpuSharing === '' ? node : { ...node, gpuSharing };

/**
 * SHA-256 of the canonical JSON of a heartbeat. Its 64-bit fields are strings in our JSON mapping and numbers in that of
 * other protobuf libraries, so either form is a right signature of the same content; so it is with and
 * without a field that is empty.
 */
export const heartbeatTexts = (providerId: string, heartbeat: registryV1.Heartbeat): string[] => {
  const { sentAtMs, sequence } = heartbeat;
  return [heartbeat.nodes, heartbeat.nodes.map(withoutEmptySharing)].flatMap((nodes) => [
    digest({ nodes, providerId, sentAtMs, sequence }),
    digest({ nodes, providerId, sentAtMs: Number(sentAtMs), sequence: Number(sequence) }),
  ]);
};

/** Equal inventories give equal digests. */
export const inventoryDigest = (nodes: readonly registryV1.NodeInventory[]): string => digest(nodes);

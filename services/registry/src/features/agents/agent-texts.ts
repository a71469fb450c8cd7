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

type HeartbeatText = (providerId: string, heartbeat: registryV1.Heartbeat) => string;

const heartbeatText =
  (
    nodesOf: (nodes: readonly registryV1.NodeInventory[]) => readonly unknown[],
    integer: (text: string) => string | number,
  ): HeartbeatText =>
  (providerId, { nodes, sentAtMs, sequence }) =>
    digest({ nodes: nodesOf(nodes), providerId, sentAtMs: integer(sentAtMs), sequence: integer(sequence) });

const asText = (integer: string): string => integer;

/**
 * SHA-256 of the canonical JSON of a heartbeat. Its 64-bit fields are strings in our JSON mapping and numbers in that of
 * other protobuf libraries, so either form is a right signature of the same content; so it is with and
 * without a field that is empty.
 */
export const HEARTBEAT_TEXTS: readonly HeartbeatText[] = [
  (nodes: readonly registryV1.NodeInventory[]) => nodes,
  (nodes: readonly registryV1.NodeInventory[]) => nodes.map(withoutEmptySharing),
].flatMap((nodesOf) => [heartbeatText(nodesOf, asText), heartbeatText(nodesOf, Number)]);

/** Equal inventories give equal digests. */
export const inventoryDigest = (nodes: readonly registryV1.NodeInventory[]): string => digest(nodes);

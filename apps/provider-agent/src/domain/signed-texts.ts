import { canonicalJson } from '@gridbourse/kernel';
import type { registryV1 } from '@gridbourse/proto';

// The texts that the wallet signs (EIP-191), as gridbourse/registry/v1/agent.proto defines them.

export const helloText = (providerId: string, issuedAtMs: string): string =>
  `gridbourse-agent:${providerId}:${issuedAtMs}`;

export const challengeText = (challengeId: string, nonce: string): string =>
  `gridbourse-challenge:${challengeId}:${nonce}`;

/** The protocol says so: an empty `gpu_sharing` is not signed. */
const withoutEmptySharing = ({
  gpuSharing,
  ...node
}: registryV1.NodeInventory): Partial<registryV1.NodeInventory> =>
  gpuSharing === '' ? node : { ...node, gpuSharing };

/** What a heartbeat's digest is taken of; its SHA-256 in hexadecimal is what is signed. */
export const heartbeatContent = (
  providerId: string,
  { nodes, sentAtMs, sequence }: Omit<registryV1.Heartbeat, 'signature'>,
): string => canonicalJson({ nodes: nodes.map(withoutEmptySharing), providerId, sentAtMs, sequence });

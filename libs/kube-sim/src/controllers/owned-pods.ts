import { createHash } from 'node:crypto';
import { canonicalJson } from '@gridbourse/kernel';
import { isFinished } from '../admission/quota.ts';
import { ApiError } from '../api/status.ts';
import { PODS } from '../kinds.ts';
import {
  conditionOf,
  controllerOf,
  type KubeObject,
  ownerReferenceTo,
  type Pod,
  type PodTemplate,
} from '../objects.ts';
import type { ControllerContext } from './context.ts';
import { recordEvent } from './context.ts';

/** Pods that a controller made, in the order of their names. */
export const podsOf = ({ store }: ControllerContext, owner: KubeObject): Pod[] =>
  store
    .list<Pod>(PODS, owner.metadata.namespace)
    .filter((pod) => controllerOf(pod)?.uid === owner.metadata.uid);

export const isActive = (pod: Pod): boolean =>
  !isFinished(pod) && pod.metadata.deletionTimestamp === undefined;

export const isReady = (pod: Pod): boolean => conditionOf(pod.status.conditions, 'Ready')?.status === 'True';

/** A short hash of a template, as `pod-template-hash` and revisions carry it. */
export const templateHash = (template: unknown): string =>
  createHash('sha256').update(canonicalJson(template)).digest('hex').slice(0, 10);

export type PodIdentity = {
  name?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  patch?: (spec: Pod['spec']) => Pod['spec'];
};

/**
 * Makes one pod from a template. A refusal (quota, admission, validation) becomes an event and a message; the caller
 * tries again later.
 */
export const makePod = (
  context: ControllerContext,
  owner: KubeObject,
  template: PodTemplate,
  identity: PodIdentity = {},
): string | null => {
  const spec = structuredClone(template.spec);
  try {
    const pod = context.writer.create(PODS, owner.metadata.namespace, {
      metadata: {
        ...(identity.name === undefined
          ? { generateName: `${owner.metadata.name}-` }
          : { name: identity.name }),
        labels: { ...template.metadata?.labels, ...identity.labels },
        annotations: { ...template.metadata?.annotations, ...identity.annotations },
        ownerReferences: [ownerReferenceTo(owner)],
      },
      spec: identity.patch ? identity.patch(spec) : spec,
    });
    const message = `Created pod: ${pod.metadata.name}`;
    recordEvent(context, owner, {
      type: 'Normal',
      reason: 'SuccessfulCreate',
      message,
      component: `${owner.kind.toLowerCase()}-controller`,
    });
    return null;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const message = `Error creating: ${error.message}`;
    recordEvent(context, owner, {
      type: 'Warning',
      reason: 'FailedCreate',
      message,
      component: `${owner.kind.toLowerCase()}-controller`,
    });
    return error.message;
  }
};

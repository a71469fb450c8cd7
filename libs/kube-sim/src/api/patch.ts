import { encodeStringData } from '../admission/defaults.ts';
import { SECRETS, type ResourceKind } from '../kinds.ts';
import type { Fields, KubeObject, Value } from '../objects.ts';
import { applyPatch, ApplyConflicts } from '../patch/apply.ts';
import { jsonPatch, type Operation, PatchFailed } from '../patch/json-patch.ts';
import { mergePatch } from '../patch/merge-patch.ts';
import { strategicMerge } from '../patch/strategic-merge.ts';
import { ApiError, badRequest, notFound } from './status.ts';
import type { ResourceWriter } from './writer.ts';

export type PatchRequest = {
  kind: ResourceKind;
  namespace: string | undefined;
  name: string;
  subresource: string | undefined;
  contentType: string;
  body: unknown;
  /** From `fieldManager`, else from the user agent. */
  manager: string;
  /** Whether `fieldManager` was given: apply demands it. */
  managerGiven: boolean;
  force: boolean;
  dryRun: boolean;
  nowMs: number;
};

const patched = (contentType: string, before: KubeObject, body: unknown): Fields => {
  const target = before as unknown as Value;
  switch (contentType) {
    case 'application/json-patch+json':
      if (!Array.isArray(body)) throw badRequest('a JSON patch is a list of operations');
      return jsonPatch(target, body as Operation[]) as Fields;
    case 'application/merge-patch+json':
      return mergePatch(target, body as Value) as Fields;
    case 'application/strategic-merge-patch+json':
      return strategicMerge(target, body as Value) as Fields;
    default:
      throw new ApiError(
        415,
        'UnsupportedMediaType',
        `the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml`,
      );
  }
};

const serverSideApply = (
  writer: ResourceWriter,
  request: PatchRequest,
): { object: KubeObject; created: boolean } => {
  const { kind, namespace, name, subresource, body, manager, force, dryRun } = request;
  if (!request.managerGiven) {
    throw new ApiError(
      422,
      'Invalid',
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
      {
        causes: [
          {
            reason: 'FieldValueRequired',
            field: 'fieldManager',
            message: 'Required value: is required for apply patch',
          },
        ],
      },
    );
  }
  if (body === null || typeof body !== 'object' || Array.isArray(body))
    throw badRequest('the request body is not an object');
  const applied = (kind === SECRETS ? encodeStringData(body as never) : body) as Fields;
  if (applied['apiVersion'] === undefined || applied['kind'] === undefined) {
    throw badRequest('invalid object type: /, Kind=');
  }
  const live = writer.store.get(kind, namespace, name) ?? null;
  if (!live && subresource !== undefined) throw notFound(kind, name);
  try {
    const by = { manager, subresource, nowMs: request.nowMs };
    const { object, managedFields, changed } = applyPatch(live, applied, by, force);
    if (live && !changed) return { object: live, created: false };
    if (live) {
      const replacement = { object: withAskedVersion(object, applied), managedFields };
      return {
        object: writer.update(kind, namespace, name, replacement, { manager, subresource, dryRun }),
        created: false,
      };
    }
    const named = { ...object, metadata: { ...((object['metadata'] ?? {}) as Fields), name } };
    return {
      object: writer.create(kind, namespace, named, { manager, managedFields, dryRun }),
      created: true,
    };
  } catch (error) {
    if (!(error instanceof ApplyConflicts)) throw error;
    const causes = error.conflicts.map((each) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with "${each.manager}" using ${each.apiVersion}`,
      field: each.field,
    }));
    const text = causes.map((cause) => `${cause.message}: ${cause.field}`).join(', ');
    throw new ApiError(409, 'Conflict', `${error.message}: ${text}`, { causes });
  }
};

/** Apply may name the resource version it expects; otherwise the newest is meant. */
const withAskedVersion = (object: Fields, applied: Fields): Fields => {
  const asked = ((applied['metadata'] ?? {}) as Fields)['resourceVersion'];
  const { resourceVersion: _, ...metadata } = (object['metadata'] ?? {}) as Fields;
  return { ...object, metadata: { ...metadata, ...(asked === undefined ? {} : { resourceVersion: asked }) } };
};

/**
 * All four ways to patch.
 * @throws ApiError 404, 409, 415, 422
 */
export const patchObject = (
  writer: ResourceWriter,
  request: PatchRequest,
): { object: KubeObject; created: boolean } => {
  if (request.contentType.startsWith('application/apply-patch')) return serverSideApply(writer, request);
  const { kind, namespace, name, subresource, body, contentType, manager, dryRun } = request;
  const before = writer.store.get(kind, namespace, name);
  if (!before) throw notFound(kind, name);
  if (body === undefined) throw badRequest('the patch is empty');
  try {
    const object = patched(contentType, before, body);
    const asked = (body as { metadata?: { resourceVersion?: string } }).metadata?.resourceVersion;
    const replacement = {
      object: withAskedVersion(object, asked ? { metadata: { resourceVersion: asked } } : {}),
    };
    return {
      object: writer.update(kind, namespace, name, replacement, { manager, subresource, dryRun }),
      created: false,
    };
  } catch (error) {
    if (error instanceof PatchFailed)
      throw new ApiError(
        422,
        'Invalid',
        `the server rejected our request due to an error in our request: ${error.message}`,
      );
    throw error;
  }
};

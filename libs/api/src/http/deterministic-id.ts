import { type Id, idFromDigest, type IdKind } from '@gridbourse/kernel';
import { createHash } from 'node:crypto';

/** The same parts always give the same id: an effect named by it happens once, however often it is asked for. */
export const deterministicId = <K extends IdKind>(kind: K, ...parts: readonly string[]): Id<K> =>
  idFromDigest(
    kind,
    createHash('sha256')
      .update(JSON.stringify([kind, ...parts]))
      .digest('hex'),
  );

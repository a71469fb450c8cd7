import { type IdKind, idPattern } from '@gridbourse/kernel';
import { z } from 'zod';

/** An id in a path. A plain string schema, because the API document has to show it. */
export const idOf = (kind: IdKind) => z.string().regex(idPattern(kind), `expected an id of ${kind}`);

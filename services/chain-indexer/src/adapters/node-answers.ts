import { z } from 'zod';
import { untrustworthy } from '../domain/trust.ts';

const quantity = z
  .string()
  .regex(/^0x[0-9a-f]{1,13}$/)
  .transform(Number);
const hash = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/i)
  .toLowerCase();
const bytes = z.string().regex(/^0x(?:[0-9a-f]{2})*$/i);

export const rawHeader = z.object({
  number: quantity,
  hash,
  parentHash: hash,
  timestamp: quantity,
  logsBloom: bytes.length(514),
  transactions: z.array(hash),
});

export const rawLog = z.object({
  address: z
    .string()
    .regex(/^0x[0-9a-f]{40}$/i)
    .toLowerCase(),
  topics: z.array(hash).max(4),
  data: bytes,
  blockNumber: quantity,
  blockHash: hash,
  transactionHash: hash,
  logIndex: quantity,
  removed: z.boolean().optional(),
});

export const rawReceipt = z.object({ transactionHash: hash, blockHash: hash, logs: z.array(rawLog) });

export type RawHeader = z.output<typeof rawHeader>;
export type RawLog = z.output<typeof rawLog>;

/** @throws DomainError `untrustworthy_answer`: a node that answers with another shape is not believed */
export const read = <T>(what: string, schema: z.ZodType<T>, answer: unknown): T => {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw untrustworthy(`${what} is not one (${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''})`);
};

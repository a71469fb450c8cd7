import { z } from 'zod';

/** The CloudEvents 1.0 attributes that travel as headers of a record (binary mode), plus ours. */
export const eventHeaders = z.object({
  ce_specversion: z.literal('1.0'),
  ce_id: z.string().min(1).max(200),
  /** `gridbourse.<context>.<Type>.v<version>` */
  ce_type: z.string().min(1).max(200),
  /** `/gridbourse/<context>` */
  ce_source: z.string().min(1).max(200),
  ce_time: z.iso.datetime(),
  /** The key: the aggregate's id. */
  ce_subject: z.string().min(1).max(200),
  ce_dataschema: z.string().max(300),
  /** W3C trace context. */
  traceparent: z.string().max(100).optional(),
  /** Per key, gapless, from 1. */
  sequence: z.string().regex(/^\d{1,15}$/),
});

export type EventHeaders = z.output<typeof eventHeaders>;

export type ParsedType = { context: string; type: string; version: number };

/** Takes `ce_type` apart; null when it is not one of ours. */
export const parseCloudEventType = (text: string): ParsedType | null => {
  const match = /^gridbourse\.([a-z-]+)\.([A-Za-z]+)\.v(\d{1,6})$/.exec(text);
  return match ? { context: match[1]!, type: match[2]!, version: Number(match[3]) } : null;
};

import type { DeadLetter } from '@gridbourse/event-bus';
import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { z } from 'zod';
import { RequireScopes } from '../auth/require-scopes.decorator.ts';
import { decodeCursor, page, pageQuery, toPage } from '../http/pages.ts';
import { Returns } from '../http/returns.decorator.ts';
import { BusOperations } from './bus-operations.ts';

const time = (milliseconds: number): string => new Date(milliseconds).toISOString();

const summary = z
  .object({
    id: z.string(),
    topic: z.string(),
    deadLetterTopic: z.string(),
    key: z.string(),
    state: z.enum(['failed', 'waiting', 'skipping', 'replayed', 'skipped']),
    error: z.string().nullable(),
    /** Stable, for programs: `unknown_event`, `event_not_decodable`, …; null where the error had none. */
    errorCode: z.string().nullable(),
    attempts: z.int(),
    skipReason: z.string().nullable(),
    deadAt: z.iso.datetime(),
    settledAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'DeadLetter' });
const detail = summary
  .extend({ headers: z.unknown(), value: z.unknown() })
  .meta({ id: 'DeadLetterWithRecord' });
const lag = z
  .object({
    topic: z.string(),
    partition: z.int(),
    /** The first offset that is not settled. */
    committed: z.int(),
    /** The offset that the next record will get. */
    end: z.int(),
    /** Records that are not settled. */
    lag: z.int(),
  })
  .meta({ id: 'PartitionLag' });

const listQuery = pageQuery.extend({
  topic: z.string().min(1).max(200).optional(),
  key: z.string().min(1).max(200).optional(),
  /** Those that were replayed or skipped, instead of those that are open. */
  settled: z.stringbool().default(false),
});
const replayRequest = z
  .object({ topic: z.string().min(1).max(200), key: z.string().min(1).max(200) })
  .meta({ id: 'ReplayDeadLetters' });
const skipRequest = z.object({ reason: z.string().trim().min(1).max(2_000) }).meta({ id: 'SkipDeadLetter' });
const letterId = z.string().regex(/^\d{1,18}$/, 'expected the id of a dead letter');

const summaryOf = (letter: DeadLetter): z.output<typeof summary> => ({
  id: letter.id,
  topic: letter.topic,
  deadLetterTopic: letter.deadLetterTopic,
  key: letter.key,
  state: letter.state,
  error: letter.error,
  errorCode: letter.errorCode,
  attempts: letter.attempts,
  skipReason: letter.skipReason,
  deadAt: time(letter.deadAtMs),
  settledAt: letter.settledAtMs === null ? null : time(letter.settledAtMs),
});

/** For operators: events that this service could not handle, and how far behind it is. */
@Controller('ops')
@RequireScopes('operator')
export class OperationsController {
  constructor(private readonly operations: BusOperations) {}

  /** Oldest first. */
  @Get('dead-letters')
  @Returns(200, page(summary))
  async list(@Query({ schema: listQuery }) query: z.output<typeof listQuery>) {
    const [afterId] = decodeCursor(query.cursor, ['bigint']) ?? [];
    const letters = await this.operations.list({
      settled: query.settled,
      limit: query.limit + 1,
      ...(query.topic === undefined ? {} : { topic: query.topic }),
      ...(query.key === undefined ? {} : { key: query.key }),
      ...(afterId === undefined ? {} : { afterId }),
    });
    return toPage(letters, query.limit, ({ id }) => [id], summaryOf);
  }

  /** With the record as it was published. */
  @Get('dead-letters/:id')
  @Returns(200, detail)
  async show(@Param('id', { schema: letterId }) id: string) {
    const letter = await this.operations.find(id);
    return { ...summaryOf(letter), headers: letter.headers, value: letter.value };
  }

  /** Delivers what is parked of a key again, in order; later records of the key follow. Answers before that is done. */
  @Post('dead-letters/replay')
  @Returns(202, z.object({ accepted: z.literal(true) }))
  async replay(@Body({ schema: replayRequest }) body: z.output<typeof replayRequest>) {
    await this.operations.replay(body);
    return { accepted: true as const };
  }

  /** Gives one up, for a reason that is kept, and replays what waits behind it. Answers before that is done. */
  @Post('dead-letters/:id/skip')
  @Returns(202, z.object({ accepted: z.literal(true) }))
  async skip(
    @Param('id', { schema: letterId }) id: string,
    @Body({ schema: skipRequest }) body: z.output<typeof skipRequest>,
  ) {
    await this.operations.skip(id, body.reason);
    return { accepted: true as const };
  }

  /** Of every partition that the service reads. */
  @Get('bus')
  @Returns(200, z.object({ partitions: z.array(lag), lag: z.int() }))
  async bus() {
    const partitions = await this.operations.lag();
    return { partitions, lag: partitions.reduce((sum, one) => sum + one.lag, 0) };
  }
}

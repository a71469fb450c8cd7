import { Controller, Get, Param, Post } from '@nestjs/common';
import { z } from 'zod';
import { RequireScopes } from '../auth/require-scopes.decorator.ts';
import { Returns } from '../http/returns.decorator.ts';
import { ReadModelOperations, type ReadModelState } from './read-model-operations.ts';

const time = (milliseconds: number): string => new Date(milliseconds).toISOString();

const readModel = z
  .object({
    name: z.string(),
    tables: z.array(z.string()),
    /** `interrupted`: begun and not ended; asking for it again carries it on. */
    state: z.enum(['idle', 'rebuilding', 'interrupted']),
    progress: z
      .object({
        /** Events projected so far. */
        events: z.int(),
        /** Events still to be projected, counted up to 100 000. */
        left: z.int(),
        startedAt: z.iso.datetime(),
      })
      .nullable(),
    lastRebuild: z
      .object({ events: z.int(), startedAt: z.iso.datetime(), finishedAt: z.iso.datetime() })
      .nullable(),
    /** Why the last one that was begun has failed. */
    failure: z.object({ code: z.string(), detail: z.string() }).nullable(),
  })
  .meta({ id: 'ReadModel' });

const modelName = z.string().regex(/^[a-z_][a-z0-9_]{0,50}$/, 'expected the name of a read model');
const accepted = z.object({ accepted: z.literal(true) });

const toDto = ({ name, tables, running, progress, last, failure }: ReadModelState) => ({
  name,
  tables: [...tables],
  state: running ? ('rebuilding' as const) : progress ? ('interrupted' as const) : ('idle' as const),
  progress: progress && {
    events: progress.events,
    left: progress.left,
    startedAt: time(progress.startedAtMs),
  },
  lastRebuild: last && {
    events: last.events,
    startedAt: time(last.startedAtMs),
    finishedAt: time(last.finishedAtMs),
  },
  failure,
});

/** For operators: tables that follow from events, and making them anew while they are served. */
@Controller('ops/read-models')
@RequireScopes('operator')
export class ReadModelsController {
  constructor(private readonly operations: ReadModelOperations) {}

  @Get()
  @Returns(200, z.object({ items: z.array(readModel) }))
  async list() {
    return { items: (await this.operations.list()).map(toDto) };
  }

  @Get(':name')
  @Returns(200, readModel)
  async show(@Param('name', { schema: modelName }) name: string) {
    return toDto(await this.operations.find(name));
  }

  /** Begins or carries on, and answers before that is done. What is served changes only at the end, all at once. */
  @Post(':name/rebuild')
  @Returns(202, accepted)
  async rebuild(@Param('name', { schema: modelName }) name: string) {
    await this.operations.start(name);
    return { accepted: true as const };
  }

  /** Ends a rebuild, and throws away what it has made. */
  @Post(':name/abort')
  @Returns(202, accepted)
  async abort(@Param('name', { schema: modelName }) name: string) {
    await this.operations.abort(name);
    return { accepted: true as const };
  }
}

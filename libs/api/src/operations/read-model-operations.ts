import {
  type EventStore,
  type ReadModel,
  ReadModelRebuild,
  type RebuildStatus,
} from '@gridbourse/event-store';
import type { DomainEvent } from '@gridbourse/events';
import { conflict, DomainError, notFound } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import type { BeforeApplicationShutdown } from '@nestjs/common';
import type { DataSource } from 'typeorm';

export type ReadModelFailure = { readonly code: string; readonly detail: string };

export type ReadModelState = RebuildStatus & {
  readonly name: string;
  readonly tables: readonly string[];
  /** Why the last rebuild that this process began has failed; null when it has not. */
  readonly failure: ReadModelFailure | null;
};

type Running = { readonly done: Promise<void>; readonly interruption: AbortController };

/** What an operator may do with a service's read models: look at them, and make them anew while they are served. */
export class ReadModelOperations implements BeforeApplicationShutdown {
  private readonly models: ReadonlyMap<string, ReadModel<DomainEvent>>;
  private readonly running = new Map<string, Running>();
  private readonly failures = new Map<string, ReadModelFailure>();

  constructor(
    private readonly dataSource: DataSource,
    private readonly store: EventStore,
    models: readonly ReadModel<DomainEvent>[],
    private readonly logger: Logger,
  ) {
    this.models = new Map(models.map((model) => [model.name, model]));
  }

  list(): Promise<ReadModelState[]> {
    return Promise.all([...this.models.values()].map((model) => this.stateOf(model)));
  }

  /** @throws DomainError `read_model_not_found` */
  find(name: string): Promise<ReadModelState> {
    return this.stateOf(this.model(name));
  }

  /**
   * Begins a rebuild, or carries on one that was interrupted, and does not wait for its end. Failures that show at once
   * are thrown, later ones are kept with the model.
   * @throws DomainError `read_model_not_found`; conflict `rebuild_running`
   */
  async start(name: string): Promise<void> {
    const model = this.model(name);
    const { running } = await this.rebuildOf(model).status();
    if (running || this.running.has(name)) {
      throw conflict('rebuild_running', `${name} is being rebuilt already`);
    }
    this.failures.delete(name);
    const interruption = new AbortController();
    const done = this.rebuildOf(model)
      .run(interruption.signal)
      .then(
        () => undefined,
        (error: unknown) => {
          if (interruption.signal.aborted) return;
          this.failures.set(name, failureOf(error));
          this.logger.error({ err: error, readModel: name }, 'a read model could not be rebuilt');
        },
      )
      .finally(() => this.running.delete(name));
    this.running.set(name, { done, interruption });
  }

  /**
   * Ends the rebuild that runs in this process, and throws away what it has made.
   * @returns whether there was anything
   * @throws DomainError `read_model_not_found`; conflict `rebuild_running` when it runs in another process
   */
  async abort(name: string): Promise<boolean> {
    const model = this.model(name);
    const running = this.running.get(name);
    running?.interruption.abort(new Error('aborted'));
    await running?.done;
    this.failures.delete(name);
    return this.rebuildOf(model).abort();
  }

  /** What is done is kept: a rebuild that is asked for again carries on from there. */
  async beforeApplicationShutdown(): Promise<void> {
    for (const { interruption } of this.running.values()) interruption.abort(new Error('shutting down'));
    await Promise.all([...this.running.values()].map(({ done }) => done));
  }

  private model(name: string): ReadModel<DomainEvent> {
    const model = this.models.get(name);
    if (!model) throw notFound('read_model', name.slice(0, 60));
    return model;
  }

  private async stateOf(model: ReadModel<DomainEvent>): Promise<ReadModelState> {
    const { name, tables } = model;
    const status = await this.rebuildOf(model).status();
    // Between asking for it and its first step it runs too.
    const running = status.running || this.running.has(name);
    return { name, tables, ...status, running, failure: this.failures.get(name) ?? null };
  }

  private rebuildOf(readModel: ReadModel<DomainEvent>): ReadModelRebuild<DomainEvent> {
    const { dataSource, store, logger } = this;
    return new ReadModelRebuild({ dataSource, store, readModel, logger });
  }
}

const failureOf = (error: unknown): ReadModelFailure =>
  error instanceof DomainError
    ? { code: error.code, detail: error.message.slice(0, 500) }
    : { code: 'rebuild_failed', detail: String((error as Error)?.message ?? error).slice(0, 500) };

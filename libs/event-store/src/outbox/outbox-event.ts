/** A public event on its way to the bus, as it is stored. Numbers that may exceed what a double holds are decimal text. */
export type OutboxEvent = {
  /** Of the CloudEvent: the stream and the version of the event in it. */
  readonly id: string;
  readonly streamId: string;
  readonly type: string;
  readonly schemaVersion: number;
  readonly json: string;
  readonly traceparent: string | null;
  readonly occurredAtMs: number;
  /** Place among the public events of the stream, from 1. */
  readonly sequence: string;
};

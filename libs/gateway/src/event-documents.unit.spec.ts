import { describe, expect, it } from '@jest/globals';
import { dataSchemaOf, publishedEvents } from '@gridbourse/events';
import { eventDocument } from './event-documents.ts';

describe('what the gateway says of the events', () => {
  it.each(publishedEvents.map((event) => [event.type, event] as const))(
    'has the schema of %s where its records say',
    (_, event) => {
      const { pathname } = new URL(dataSchemaOf(event));
      const document = eventDocument(pathname);
      expect(document?.type).toBe('application/schema+json');
      expect(JSON.parse(document!.body)).toMatchObject({ $id: dataSchemaOf(event) });
      expect(eventDocument(`/gridbourse${pathname}`)).toEqual(document);
    },
  );

  it('has the AsyncAPI document', () => {
    expect(JSON.parse(eventDocument('/asyncapi.json')!.body)).toMatchObject({ asyncapi: '3.0.0' });
  });

  it.each([
    '/schemas/',
    '/schemas/x.json',
    '/schemas/../asyncapi.json',
    '/schemas/released/ledger.json',
    '/x',
  ])('has nothing at %s', (path) => expect(eventDocument(path)).toBeUndefined());
});

import { readEventDocuments } from '@gridbourse/events/documents';

const { asyncApi, schemas } = readEventDocuments();

/** `ce_dataschema` of a record ends like this. Records of earlier builds have the longer form. */
const SCHEMA_PATH = /^(?:\/gridbourse)?\/schemas\/([A-Za-z0-9.-]+\.json)$/;

export type EventDocument = { readonly type: string; readonly body: string };

/** What describes the events to those outside: `/asyncapi.json` and the schemas that it refers to. */
export const eventDocument = (path: string): EventDocument | undefined => {
  if (path === '/asyncapi.json') return { type: 'application/json', body: asyncApi };
  const schema = schemas.get(SCHEMA_PATH.exec(path)?.[1] ?? '');
  return schema === undefined ? undefined : { type: 'application/schema+json', body: schema };
};

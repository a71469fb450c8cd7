import { readdirSync, readFileSync } from 'node:fs';

// From src and from dist this is the same folder.
const FOLDER = new URL('../', import.meta.url);

/** What describes the published language to those outside, as committed. */
export type EventDocuments = {
  /** The AsyncAPI 3.0 document, JSON. */
  readonly asyncApi: string;
  /** JSON Schemas by file name, such as `matchmaker.LeaseAccepted.v1.json`. */
  readonly schemas: ReadonlyMap<string, string>;
};

/** Reads about 60 small files: once at start, not for each request. */
export const readEventDocuments = (): EventDocuments => {
  const schemas = new URL('schemas/', FOLDER);
  const names = readdirSync(schemas).filter((name) => name.endsWith('.json'));
  return {
    asyncApi: readFileSync(new URL('asyncapi.json', FOLDER), 'utf8'),
    schemas: new Map(names.map((name) => [name, readFileSync(new URL(name, schemas), 'utf8')])),
  };
};

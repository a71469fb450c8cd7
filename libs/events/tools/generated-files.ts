import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { asyncApiDocument, publishedEvents, schemaNameOf, versionsOf, wireSchemaOf } from '../src/index.ts';
import { consumersInSources } from './consumers.ts';
import { eventTable, withTable } from './event-table.ts';
import { ASYNCAPI, EVENTS_PAGE, ROOT, SCHEMAS } from './repository.ts';

export const asJson = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** What `npm run events` writes: content by path from the root of the repository. */
export const generatedFiles = (): Map<string, string> => {
  const consumers = consumersInSources();
  const files = new Map<string, string>();
  for (const definition of publishedEvents) {
    for (const version of versionsOf(definition)) {
      const name = schemaNameOf({ ...definition, version });
      files.set(`${SCHEMAS}/${name}.json`, asJson(wireSchemaOf(definition, version)));
    }
  }
  files.set(ASYNCAPI, asJson(asyncApiDocument(publishedEvents, consumers)));
  const page = readFileSync(join(ROOT, EVENTS_PAGE), 'utf8');
  files.set(EVENTS_PAGE, withTable(page, eventTable(publishedEvents, consumers)));
  return files;
};

/** Schema files in the folder that nothing generates any more. */
export const leftOverFiles = (generated: ReadonlyMap<string, string>): string[] =>
  readdirSync(join(ROOT, SCHEMAS))
    .filter((name) => name.endsWith('.json'))
    .map((name) => `${SCHEMAS}/${name}`)
    .filter((path) => !generated.has(path));

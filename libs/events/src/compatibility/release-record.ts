import { type EventDefinition, schemaNameOf, topicOf } from '../define.ts';
import { type JsonSchema, versionsOf, wireSchemaOf } from '../wire-schema.ts';
import { sameSchema } from './alternatives.ts';
import { type Incompatibility, incompatibilities } from './incompatibilities.ts';

/** A schema that was released once, and therefore may lie in a store or on the bus, and in services that read it. */
export type ReleasedSchema = {
  /** `matchmaker.LeaseAccepted.v1` */
  readonly name: string;
  /** 1 for the first; a compatible change of the same version is released as the next. */
  readonly revision: number;
  readonly schema: JsonSchema;
};

/** A released schema that the definitions of today no longer keep to. */
export type BrokenRelease = {
  readonly name: string;
  readonly revision: number;
  /** What is wrong with the event as a whole; null when the schemas can be compared. */
  readonly fault: string | null;
  readonly differences: readonly Incompatibility[];
};

type Current = { readonly definition: EventDefinition; readonly schema: JsonSchema };

const currentSchemas = (definitions: readonly EventDefinition[]): Map<string, Current> =>
  new Map(
    definitions.flatMap((definition) =>
      versionsOf(definition).map((version): [string, Current] => [
        schemaNameOf({ ...definition, version }),
        { definition, schema: wireSchemaOf(definition, version) },
      ]),
    ),
  );

/** Everything that was released and that someone could not read, were the definitions of today released. */
export const brokenReleases = (
  released: readonly ReleasedSchema[],
  definitions: readonly EventDefinition[],
): BrokenRelease[] => {
  const current = currentSchemas(definitions);
  return released.flatMap(({ name, revision, schema }): BrokenRelease[] => {
    const now = current.get(name);
    const broken = (fault: string | null, differences: readonly Incompatibility[] = []): BrokenRelease[] => [
      { name, revision, fault, differences },
    ];
    if (!now) return broken('it is no longer defined, so what was stored or published in it cannot be read');
    const topic = topicOf(now.definition);
    if (schema['x-topic'] !== topic) {
      return broken(`it moved from ${String(schema['x-topic'])} to ${topic}, where no old consumer looks`);
    }
    const differences = incompatibilities(schema, now.schema);
    return differences.length === 0 ? [] : broken(null, differences);
  });
};

/** Schemas of today that are not on record: those of new events, new versions, and compatible changes. */
export const unreleased = (
  released: readonly ReleasedSchema[],
  definitions: readonly EventDefinition[],
): ReleasedSchema[] =>
  [...currentSchemas(definitions)].flatMap(([name, { schema }]) => {
    const latest = released
      .filter((entry) => entry.name === name)
      .reduce<ReleasedSchema | null>(
        (last, one) => (last && last.revision > one.revision ? last : one),
        null,
      );
    if (latest && sameSchema(latest.schema, schema)) return [];
    return [{ name, revision: (latest?.revision ?? 0) + 1, schema }];
  });

const CONSEQUENCE = {
  'old consumer': 'a service of the last release could not read what a new one writes',
  'new consumer': 'a new service could not read what is already stored and published',
} as const;

/** For a person: each difference, who is left behind, and what to do. Empty when nothing is broken. */
export const describeBroken = (broken: readonly BrokenRelease[]): string =>
  broken
    .map(({ name, revision, fault, differences }) =>
      [
        `${name} (release record, revision ${revision})`,
        ...(fault ? [`  ${fault}`, '  Keep the definition; stop writing the event instead.'] : []),
        ...differences.flatMap(({ who, path, keyword, had, has }) => [
          `  ${path || '(the whole event)'}: ${keyword}`,
          `    was  ${had}`,
          `    is   ${has}`,
          `    breaks the ${who}: ${CONSEQUENCE[who]}`,
        ]),
        ...(differences.length > 0
          ? ['  Give the event a new version with an upcaster: nextVersion, see docs/events.md.']
          : []),
      ].join('\n'),
    )
    .join('\n\n');

import { encodedSchemaOf, versionsOf } from './wire-schema.ts';
import { eventHeaders } from './cloud-event.ts';
import { cloudEventTypeOf, dataSchemaOf, type EventDefinition, schemaNameOf, topicOf } from './define.ts';

/** Which events a service handles. */
export type Consumer = { readonly service: string; readonly events: readonly EventDefinition[] };

const BINDING_VERSION = '0.5.0';
const ref = (pointer: string): { $ref: string } => ({ $ref: pointer });

/** In a JSON pointer `/` is `~1`; none of our names has one, and this keeps it so. */
const pointer = (...parts: string[]): string => {
  if (parts.some((part) => /[~/]/.test(part))) throw new Error(`${parts.join()} cannot stand in a pointer`);
  return `#/${parts.join('/')}`;
};

const byTopic = (definitions: readonly EventDefinition[]): Map<string, EventDefinition[]> => {
  const topics = new Map<string, EventDefinition[]>();
  for (const definition of definitions) {
    const topic = topicOf(definition);
    topics.set(topic, [...(topics.get(topic) ?? []), definition]);
  }
  return new Map([...topics].sort(([a], [b]) => (a < b ? -1 : 1)));
};

/**
 * The AsyncAPI 3.0 document of what goes over the bus: a channel for each topic, a message for each version of an event,
 * and for each service what it sends and what it receives. Payloads are named by references relative to the
 * document: `./schemas/<name>.json`.
 */
export const asyncApiDocument = (
  definitions: readonly EventDefinition[],
  consumers: readonly Consumer[],
): Record<string, unknown> => {
  const topics = byTopic(definitions);
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Gridbourse events',
      version: '1.0.0',
      description:
        'Every event that crosses a service border. Delivery is at least once and in order per key; `sequence` counts ' +
        'the events of a key without a gap. Readers ignore fields that they do not know.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries([...topics].map(([topic, events]) => [topic, channelOf(topic, events)])),
    operations: Object.fromEntries([
      ...[...topics].map(([topic, events]) => sendOf(topic, events)),
      ...[...consumers]
        .sort((a, b) => (a.service < b.service ? -1 : 1))
        .flatMap(({ service, events }) =>
          [...byTopic(events)].map(([topic, read]) => receiveOf(service, topic, read)),
        ),
    ]),
    components: {
      messages: Object.fromEntries(
        definitions.flatMap((definition) =>
          versionsOf(definition).map((version) => messageOf({ ...definition, version })),
        ),
      ),
      messageTraits: {
        cloudEvent: {
          headers: encodedSchemaOf(eventHeaders),
          contentType: 'application/json',
          correlationId: {
            description: 'The trace that caused the event.',
            location: '$message.header#/traceparent',
          },
          bindings: {
            kafka: {
              key: { type: 'string', description: 'The id of the aggregate, as in `ce_subject`.' },
              bindingVersion: BINDING_VERSION,
            },
          },
        },
      },
    },
  };
};

const keysOf = (events: readonly EventDefinition[]): string[] =>
  events.flatMap((definition) =>
    versionsOf(definition).map((version) => schemaNameOf({ ...definition, version })),
  );

const channelOf = (topic: string, events: readonly EventDefinition[]): object => ({
  address: topic,
  title: `${events[0]!.context}: ${events[0]!.aggregate}`,
  description: `Public events of one aggregate (${events[0]!.aggregate}). The key of a record is ${events[0]!.key}.`,
  messages: Object.fromEntries(
    keysOf(events).map((name) => [name, ref(pointer('components', 'messages', name))]),
  ),
  bindings: { kafka: { topic, bindingVersion: BINDING_VERSION } },
});

const messagesOf = (topic: string, events: readonly EventDefinition[]): object[] =>
  keysOf(events).map((name) => ref(pointer('channels', topic, 'messages', name)));

const sendOf = (topic: string, events: readonly EventDefinition[]): [string, object] => {
  const { context, aggregate } = events[0]!;
  return [
    `${context}.sends.${aggregate}`,
    {
      action: 'send',
      title: `${context} publishes what happens (${aggregate})`,
      channel: ref(pointer('channels', topic)),
      messages: messagesOf(topic, events),
    },
  ];
};

const receiveOf = (service: string, topic: string, events: readonly EventDefinition[]): [string, object] => {
  const { context, aggregate } = events[0]!;
  return [
    `${service}.receives.${context}.${aggregate}`,
    {
      action: 'receive',
      title: `${service} acts on these events of the channel and passes over the others`,
      channel: ref(pointer('channels', topic)),
      messages: messagesOf(topic, events),
      bindings: {
        kafka: { groupId: { type: 'string', enum: [service] }, bindingVersion: BINDING_VERSION },
      },
    },
  ];
};

const messageOf = (definition: EventDefinition): [string, object] => {
  const name = schemaNameOf(definition);
  const type = cloudEventTypeOf(definition);
  return [
    name,
    {
      name: type,
      title: definition.type,
      summary: definition.description,
      traits: [ref(pointer('components', 'messageTraits', 'cloudEvent'))],
      headers: {
        type: 'object',
        properties: { ce_type: { const: type }, ce_dataschema: { const: dataSchemaOf(definition) } },
      },
      payload: {
        schemaFormat: 'application/schema+json;version=draft-2020-12',
        schema: ref(`./schemas/${name}.json`),
      },
    },
  ];
};

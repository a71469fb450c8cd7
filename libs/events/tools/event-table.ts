import { type Consumer, type EventDefinition, topicOf } from '../src/index.ts';

export const BEGIN = '<!-- events: begin (written by npm run events) -->';
export const END = '<!-- events: end -->';

const cell = (text: string): string => text.replaceAll('|', '\\|');

/** A table of all events for each owner, in Markdown. */
export const eventTable = (
  definitions: readonly EventDefinition[],
  consumers: readonly Consumer[],
): string => {
  const topics = [...new Set(definitions.map(topicOf))].sort();
  return topics
    .map((topic) => {
      const events = definitions.filter((definition) => topicOf(definition) === topic);
      return [
        `### \`${topic}\``,
        '',
        `Owner: ${events[0]!.context}. Key: ${events[0]!.key}.`,
        '',
        '<!-- prettier-ignore -->',
        '| event | versions | meaning | consumers |',
        '| --- | --- | --- | --- |',
        ...events.map((event) => {
          const readers = consumers.filter((consumer) => consumer.events.includes(event));
          const versions = event.version === 1 ? '1' : `1 to ${event.version}`;
          const names = readers.map(({ service }) => service).sort();
          return `| ${event.type} | ${versions} | ${cell(event.description)} | ${names.join(', ') || 'none yet'} |`;
        }),
      ].join('\n');
    })
    .join('\n\n');
};

/** @throws Error when the page has lost its markers */
export const withTable = (page: string, table: string): string => {
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from === -1 || to < from) throw new Error(`the page has no "${BEGIN}" … "${END}"`);
  return `${page.slice(0, from)}${BEGIN}\n\n${table}\n\n${page.slice(to)}`;
};

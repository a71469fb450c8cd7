import type { EventDefinition } from '@gridbourse/events';

const named = (all: readonly EventDefinition[]): string =>
  all.map(({ context, type }) => `${context}.${type}`).join(', ');
const missingIn = (among: readonly EventDefinition[]): ((one: EventDefinition) => boolean) => {
  const types = new Set(among.map(({ type }) => type));
  return ({ type }) => !types.has(type);
};

/**
 * What is kept of other services' events and what read models are made of must be the same: an event that is kept for no
 * read model costs a row each for nothing, and a read model that hears what nobody keeps loses it when it is rebuilt.
 *
 * @param kept events that a handler keeps (`@OnEvent(…, { journal })`)
 * @param heard events that some read model hears, of other services
 * @throws Error that names each event in which they differ
 */
export const checkJournal = (kept: readonly EventDefinition[], heard: readonly EventDefinition[]): void => {
  const unheard = kept.filter(missingIn(heard));
  const lost = heard.filter(missingIn(kept));
  const problems = [
    ...(unheard.length > 0 ? [`no read model hears what is kept in the journal: ${named(unheard)}`] : []),
    ...(lost.length > 0 ? [`read models hear what no handler keeps in the journal: ${named(lost)}`] : []),
  ];
  if (problems.length > 0) throw new Error(problems.join('; '));
};

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Consumer, type EventDefinition } from '../src/index.ts';
import * as language from '../src/index.ts';
import { ROOT } from './repository.ts';

const HANDLER = /@OnEvent\(\s*([A-Za-z0-9_]+)/g;

/**
 * Which service handles which event, read from the `@OnEvent(…)` in the sources of the services.
 *
 * @throws Error when a handler names its event in a way that this cannot follow
 */
export const consumersInSources = (): Consumer[] => {
  const found = new Map<string, Set<EventDefinition>>();
  for (const file of globSync('services/*/src/**/*.ts', { cwd: ROOT }).sort()) {
    if (file.endsWith('.spec.ts')) continue;
    const service = file.split('/')[1]!;
    for (const [, name] of readFileSync(join(ROOT, file), 'utf8').matchAll(HANDLER)) {
      const definition = (language as Record<string, unknown>)[name!] as EventDefinition | undefined;
      if (!definition?.schema) throw new Error(`${file}: @OnEvent(${name}) names no event of libs/events`);
      found.set(service, (found.get(service) ?? new Set()).add(definition));
    }
  }
  return [...found].map(([service, events]) => ({
    service,
    events: [...events].sort((a, b) => (a.type < b.type ? -1 : 1)),
  }));
};

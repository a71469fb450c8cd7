import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const SCHEMAS = 'libs/events/schemas';
export const RELEASED = 'libs/events/schemas/released';
export const ASYNCAPI = 'libs/events/asyncapi.json';
export const EVENTS_PAGE = 'docs/events.md';

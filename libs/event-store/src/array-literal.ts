/**
 * Arrays as Postgres writes them, `{"a","b"}`. The driver can do that too, at several times the cost: it escapes each
 * element by two regular expressions, and an append has a dozen arrays with an element an event.
 */

const SPECIAL = /["\\]/g;

const quoted = (text: string): string =>
  text.includes('"') || text.includes('\\') ? `"${text.replace(SPECIAL, '\\$&')}"` : `"${text}"`;

export const textArray = (values: readonly (string | null)[]): string =>
  `{${values.map((value) => (value === null ? 'NULL' : quoted(value))).join(',')}}`;

export const integerArray = (values: readonly (number | null)[]): string =>
  `{${values.map((value) => value ?? 'NULL').join(',')}}`;

/**
 * An array of texts that are JSON themselves. They hold no control characters, so all that JSON.stringify escapes is
 * what Postgres wants escaped, in the way in which it wants it.
 */
export const jsonTextArray = (texts: readonly string[]): string =>
  `{${texts.map((text) => JSON.stringify(text)).join(',')}}`;

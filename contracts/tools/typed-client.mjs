// TypeScript types of a contract's functions and events, from its ABI and its NatSpec.

/** Up to here a number of JavaScript is exact, and what the contracts keep in so few bits is a time, an id or a count. */
const NUMBER_BITS = 48;
/** The one width that no amount has: the key of a lease, which is written in hexadecimal digits everywhere off chain. */
const LEASE_KEY_BITS = 96;

/** @param side `in` for what a caller gives, `out` for what the chain answers (ethers gives every integer as bigint) */
const typeOf = ({ type, components }, side) => {
  const array = /^(.*)\[\d*\]$/.exec(type);
  if (array) return `readonly (${typeOf({ type: array[1], components }, side)})[]`;
  if (type === 'tuple') return objectOf(components, side);
  const integer = /^u?int(\d+)$/.exec(type);
  if (integer) {
    if (side === 'out') return 'bigint';
    if (Number(integer[1]) <= NUMBER_BITS) return 'bigint | number';
    return Number(integer[1]) === LEASE_KEY_BITS ? 'bigint | string' : 'bigint';
  }
  if (type === 'bool') return 'boolean';
  if (type === 'address' || type === 'string' || type.startsWith('bytes')) return 'string';
  throw new Error(`no TypeScript type for ${type}`);
};

const objectOf = (fields, side) => {
  const named = fields.filter(({ name }) => name !== '');
  return `{ ${named.map((field) => `readonly ${field.name}: ${typeOf(field, side)}`).join('; ')} }`;
};

const signatureOf = ({ name, inputs }) => `${name}(${inputs.map(canonical).join(',')})`;
const canonical = ({ type, components }) =>
  type.startsWith('tuple') ? `(${components.map(canonical).join(',')})${type.slice('tuple'.length)}` : type;

const commentOf = (entry, notices) => {
  const { notice = '', params = {} } = notices[signatureOf(entry)] ?? {};
  const told = entry.inputs.filter(({ name }) => params[name]);
  const lines = [
    ...(notice === '' ? [] : [notice]),
    ...told.map(({ name }) => `@param ${name} ${params[name]}`),
  ];
  return lines.length === 0 ? [] : ['  /**', ...lines.map((line) => `   * ${line}`), '   */'];
};

const argumentsOf = ({ inputs }) =>
  inputs.map((input, index) => `${input.name || `argument${index}`}: ${typeOf(input, 'in')}`).join(', ');

const resultOf = ({ outputs }) => {
  if (outputs.length === 0) return 'void';
  return outputs.length === 1 ? typeOf(outputs[0], 'out') : objectOf(outputs, 'out');
};

const isView = ({ stateMutability }) => stateMutability === 'view' || stateMutability === 'pure';

/** Text that declares `<Name>Functions` and `<Name>Events`. */
export const typesOf = ({ name, abi, notices }) => {
  const functions = abi.filter(({ type }) => type === 'function');
  const isOverloaded = (entry) => functions.filter((other) => other.name === entry.name).length > 1;
  const events = abi.filter(({ type }) => type === 'event');
  return [
    `export type ${name}Functions = {`,
    ...functions.flatMap((entry) => [
      ...commentOf(entry, notices),
      `  ${isOverloaded(entry) ? `'${signatureOf(entry)}'` : entry.name}: (${argumentsOf(entry)}) => ${
        isView(entry) ? resultOf(entry) : `Sends<${resultOf(entry)}>`
      };`,
    ]),
    '};',
    '',
    `export type ${name}Events = {`,
    ...events.map((entry) => `  ${entry.name}: ${objectOf(entry.inputs, 'out')};`),
    '};',
  ].join('\n');
};

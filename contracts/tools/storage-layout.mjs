// The storage of what is upgraded: contracts/storage-layout.json is what every later code has to keep.
import { readFileSync, writeFileSync } from 'node:fs';
import { contractsRoot } from './solc-input.mjs';

const file = new URL('storage-layout.json', contractsRoot);
const document = new URL('../docs/contracts.md', contractsRoot);
const BEGIN = '<!-- storage layout: written by npm run contracts -->';
const END = '<!-- end of storage layout -->';
/** Behind proxies; the others are never upgraded. */
const UPGRADED = ['ComputeMarket', 'ProviderRegistry', 'LivenessRewards'];

const layoutsOf = (artifacts) =>
  Object.fromEntries(
    artifacts.filter(({ name }) => UPGRADED.includes(name)).map(({ name, storage }) => [name, storage]),
  );

/** Rows of `before` that `after` does not have in the same place: an upgrade would read another's storage. */
export const moved = (before, after) => {
  const problems = [];
  const compare = (where, old, now) => {
    for (const [index, row] of old.entries()) {
      if (JSON.stringify(row) === JSON.stringify(now?.[index])) continue;
      problems.push(`${where}.${row.label} (slot ${row.slot}, offset ${row.offset}, ${row.type})`);
    }
  };
  for (const [name, layout] of Object.entries(before)) {
    compare(name, layout.variables, after[name]?.variables);
    for (const [struct, members] of Object.entries(layout.structs)) {
      compare(`${name}: ${struct}`, members, after[name]?.structs[struct]);
    }
  }
  return problems;
};

const table = (layouts) => {
  const lines = [];
  for (const [name, { variables, structs }] of Object.entries(layouts)) {
    lines.push(
      `**${name}**`,
      '',
      '| slot | offset | bytes | variable | type |',
      '| --- | --- | --- | --- | --- |',
    );
    const row = (prefix) => (entry) =>
      lines.push(
        `| ${prefix}${entry.slot} | ${entry.offset} | ${entry.bytes} | \`${entry.label}\` | \`${entry.type}\` |`,
      );
    variables.forEach(row(''));
    for (const [struct, members] of Object.entries(structs)) {
      lines.push(`| | | | **${struct}** | |`);
      members.forEach(row('+'));
    }
    lines.push('');
  }
  return lines.join('\n');
};

const documentWith = (text, layouts) => {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error('docs/contracts.md has no place for the storage layout');
  return `${text.slice(0, begin + BEGIN.length)}\n\n${table(layouts)}\n${text.slice(end)}`;
};

const committed = () => JSON.parse(readFileSync(file, 'utf8'));

/** What is wrong with what is committed, as sentences. */
export const checkLayout = (artifacts) => {
  const layouts = layoutsOf(artifacts);
  const problems = moved(committed(), layouts).map((row) => `moved or gone: ${row}`);
  if (problems.length > 0) return problems;
  if (JSON.stringify(committed()) !== JSON.stringify(layouts)) {
    return ['contracts/storage-layout.json is out of date: run npm run contracts'];
  }
  const squeezed = (text) => text.replace(/[ \-|]+/g, ' ');
  const text = readFileSync(document, 'utf8');
  return squeezed(documentWith(text, layouts)) === squeezed(text)
    ? []
    : ['docs/contracts.md is out of date: run npm run contracts'];
};

/** Writes the layout where it only adds to what is committed. Throws where it would move anything. */
export const writeLayout = (artifacts) => {
  const layouts = layoutsOf(artifacts);
  let before = {};
  try {
    before = committed();
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  const problems = moved(before, layouts);
  if (problems.length > 0) {
    throw new Error(`an upgrade would misread what is stored:\n${problems.join('\n')}`);
  }
  writeFileSync(file, `${JSON.stringify(layouts, null, 2)}\n`);
  writeFileSync(document, documentWith(readFileSync(document, 'utf8'), layouts));
};

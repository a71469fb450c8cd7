// Gas of every operation, as test/Gas.t.sol measured it last, against contracts/gas-snapshot.json.
// node contracts/tools/gas-snapshot.mjs writes what was measured last as the new snapshot.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { contractsRoot } from './solc-input.mjs';

const measuredFile = new URL('cache/snapshots/gas.json', contractsRoot);
const committedFile = new URL('gas-snapshot.json', contractsRoot);
const read = (file) =>
  Object.fromEntries(
    Object.entries(JSON.parse(readFileSync(file, 'utf8'))).map(([name, gas]) => [name, Number(gas)]),
  );

/** Forgets what an earlier run measured. */
export const forgetGas = () => rmSync(measuredFile, { force: true });

/** What has risen or is missing, as sentences; and what has fallen. Null when this run measured nothing. */
export const compareGas = () => {
  if (!existsSync(measuredFile)) return null;
  const [measured, committed] = [read(measuredFile), read(committedFile)];
  const risen = [];
  const fallen = [];
  for (const [name, gas] of Object.entries(measured)) {
    const before = committed[name];
    if (before === undefined) risen.push(`${name}: ${gas}, not in contracts/gas-snapshot.json`);
    else if (gas > before) risen.push(`${name}: ${gas}, was ${before}`);
    else if (gas < before) fallen.push(`${name}: ${gas}, was ${before}`);
  }
  for (const name of Object.keys(committed)) {
    if (measured[name] === undefined) risen.push(`${name}: not measured any more`);
  }
  return { risen, fallen };
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const sorted = Object.fromEntries(Object.entries(read(measuredFile)).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(committedFile, `${JSON.stringify(sorted, null, 2)}\n`);
}

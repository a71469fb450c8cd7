#!/usr/bin/env node
// What Foundry takes for a native solc: answers --version, and pipes standard JSON through npm's solc.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const solc = createRequire(import.meta.url)('solc');
const optionOf = (name) => {
  const index = process.argv.indexOf(name);
  return index < 0 ? undefined : process.argv[index + 1];
};

/** Foundry hands over the sources it found; those that library files import relatively are read here. */
const readImport = (path) => {
  try {
    return { contents: readFileSync(resolve(optionOf('--base-path') ?? process.cwd(), path), 'utf8') };
  } catch (error) {
    return { error: String(error) };
  }
};

if (process.argv.includes('--version')) {
  const version = solc.version().replace('.Emscripten.clang', '.Linux.g++');
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${version}\n`);
} else if (process.argv.includes('--standard-json')) {
  process.stdout.write(solc.compile(readFileSync(0, 'utf8'), { import: readImport }));
} else {
  process.stderr.write(`unexpected arguments: ${process.argv.slice(2).join(' ')}\n`);
  process.exit(1);
}

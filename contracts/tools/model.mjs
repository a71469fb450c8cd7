// Compares the contracts with the TypeScript model of libs/chain/src/model on random sequences of calls:
//   node contracts/tools/model.mjs [--sequences=3000] [--seed=…] [--from=0] [--only=INDEX] [--lanes=1]
import { spawnSync } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { requireForge, writeBytecode } from './forge.mjs';
import { compileOnce } from './solc-input.mjs';

const root = new URL('../../', import.meta.url);
const main = fileURLToPath(new URL('libs/chain/test/replay/main.ts', root));
const register = pathToFileURL(fileURLToPath(new URL('tools/swc-register.mjs', root))).href;

/**
 * Needs the bytecode in its folder already (`writeBytecode`). Differences and the count come back as text; errors of the
 * comparison itself go to stderr.
 */
export const compareWithModel = (args, env = {}) =>
  spawnSync(
    process.execPath,
    [
      '--enable-source-maps',
      '--disable-warning=ExperimentalWarning',
      '--import',
      register,
      '--conditions=@gridbourse/source',
      main,
      ...args,
    ],
    {
      cwd: fileURLToPath(root),
      stdio: ['ignore', 'pipe', 'inherit'],
      encoding: 'utf8',
      env: { ...process.env, GRIDBOURSE_FORGE: requireForge(), ...env },
    },
  );

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeBytecode('bytecode', compileOnce());
  const { status, error, stdout } = compareWithModel(process.argv.slice(2));
  if (error) throw error;
  process.stdout.write(stdout);
  process.exit(status ?? 1);
}

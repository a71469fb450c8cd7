// node tools/lint.mjs [paths …]
// Lints the whole tree in one go, or what is named, and nothing else.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const named = process.argv.slice(2);

const run = (script, args, stdout) =>
  spawnSync(process.execPath, [join(root, 'node_modules', ...script), ...args], {
    cwd: root,
    stdio: ['ignore', stdout, 'inherit'],
    env: { ...process.env, NX_DAEMON: 'false', NX_NO_CLOUD: 'true' },
  }).status;

// The rule of boundaries passes in silence where the graph of projects was never made, and by old tags where it is old.
if (run(['nx', 'dist', 'bin', 'nx.js'], ['show', 'projects'], 'ignore') !== 0) {
  console.error('lint: Nx cannot make the graph of projects, without which boundaries are not checked');
  process.exit(1);
}
const [config, what] = named.length > 0 ? ['eslint.config.mjs', named] : ['eslint.whole.config.mjs', ['.']];
process.exit(run(['eslint', 'bin', 'eslint.js'], ['--config', config, ...what], 'inherit') ?? 1);

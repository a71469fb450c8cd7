// Makes the checkout ready to run. Starts on whatever Node the machine has, before node_modules exists: built-ins only.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NEEDED_MAJOR = 24;
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const pinnedNode = join(root, 'node_modules', '.bin', 'node');
const stamp = join(root, 'node_modules', '.setup-stamp');

const fail = (sentence) => {
  console.error(`setup: ${sentence}`);
  process.exit(1);
};

const run = (what, command, args) => {
  const done = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, SCARF_ANALYTICS: 'false', NX_DAEMON: 'false' },
  });
  if (done.error) fail(`${what} could not be started: ${done.error.message}`);
  if (done.status !== 0) fail(`${what} failed (exit ${done.status ?? done.signal}); its output is above.`);
};

const wanted = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');
const installed = existsSync(stamp) ? readFileSync(stamp, 'utf8') : '';
if (installed !== wanted) {
  console.error('setup: installing packages (npm ci); the first time this takes a minute or two');
  run('npm ci', 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  writeFileSync(stamp, wanted);
}

// The lock pins a Node of our own for Linux; elsewhere the machine's must do.
const node = existsSync(pinnedNode) ? pinnedNode : process.execPath;
const major = Number(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.slice(1).split('.')[0]);
if (!(major >= NEEDED_MAJOR)) {
  fail(
    `Node ${NEEDED_MAJOR} or newer is needed and none is pinned for this platform; install it and try again.`,
  );
}
run('the build', node, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-b', 'tsconfig.build.json']);

// Checks docker-compose.yml by `docker compose config`, which needs no engine; the older docker-compose will do as well.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const tools = [['docker', 'compose'], ['docker-compose']];
const tool = tools.find(
  ([command, ...rest]) => spawnSync(command, [...rest, 'version'], { stdio: 'ignore' }).status === 0,
);
if (!tool) {
  console.error(
    'compose: neither `docker compose` nor `docker-compose` is on this machine; install one of them',
  );
  process.exit(1);
}
const [command, ...rest] = tool;
const { status } = spawnSync(command, [...rest, 'config', '--quiet'], { cwd: root, stdio: 'inherit' });
if (status === 0) console.log(`compose: ${tool.join(' ')} accepts docker-compose.yml`);
process.exit(status ?? 1);

// Writes the machines and the pod lists of docs/placement.md, "Where it stands on other input", made from the openb trace:
//   node bench/placement-inputs.mjs FOLDER [OPENB]
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder, openb = '../shared/data/openb'] = process.argv.slice(2);
if (!folder) {
  process.stderr.write('usage: node bench/placement-inputs.mjs FOLDER [OPENB]\n');
  process.exit(64);
}
mkdirSync(folder, { recursive: true });

/** A linear congruential generator: the same files every time. */
const chance = (seed) => {
  let state = seed;
  return () => (state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff) / 0x7fff_ffff;
};

const table = (name) => {
  const [head, ...lines] = readFileSync(join(openb, name), 'utf8').trim().split('\n');
  const names = head.split(',');
  return lines.map((line) => Object.fromEntries(line.split(',').map((cell, at) => [names[at], cell])));
};

const write = (name, columns, rows) =>
  writeFileSync(
    join(folder, name),
    `${[columns.join(','), ...rows.map((row) => columns.map((column) => row[column] ?? '').join(','))].join('\n')}\n`,
  );

const nodes = table('openb_node_list_gpu_node.csv');
const machines = (name, rows) =>
  write(`${name}.csv`, ['sn', 'cpu_milli', 'memory_mib', 'gpu', 'model'], rows);
const scaled = (column, share) =>
  nodes.map((node) => ({ ...node, [column]: Math.round(Number(node[column]) * share) }));
const some = (seed, share) => {
  const random = chance(seed);
  return () => random() < share;
};
const fewEights = some(1, 0.3);
const fewT4 = some(2, 0.3);
const tenth = some(3, 0.1);
machines(
  'half',
  nodes.filter((_, at) => at % 2 === 0),
);
machines('tenth', nodes.filter(tenth));
machines(
  'few8',
  nodes.filter(({ gpu }) => gpu !== '8' || fewEights()),
);
machines(
  'fewT4',
  nodes.filter(({ model }) => model !== 'T4' || fewT4()),
);
machines('cpu70', scaled('cpu_milli', 0.7));
machines('mem50', scaled('memory_mib', 0.5));
machines(
  'noG2T4',
  nodes.filter(({ model }) => model !== 'G2' && model !== 'T4'),
);

const pods = (name) => table(`openb_pod_list_${name}.csv`);
const standard = pods('default');
const list = (name, rows) =>
  write(
    `openb_pod_list_${name}.csv`,
    ['name', 'cpu_milli', 'memory_mib', 'num_gpu', 'gpu_milli', 'gpu_spec'],
    rows,
  );
const third = some(4, 1 / 3);
const lone = some(5, 0.15);
const random = chance(6);
list('mixed', [...standard, ...pods('multigpu50'), ...pods('gpuspec33')].filter(third));
list(
  'odd',
  standard.map((pod) =>
    pod.num_gpu === '1' && pod.gpu_milli !== '1000'
      ? { ...pod, gpu_milli: 100 + Math.floor(random() * 800) }
      : pod,
  ),
);
list(
  'whole',
  standard.map((pod) => (pod.num_gpu === '1' ? { ...pod, gpu_milli: 1_000 } : pod)),
);
list(
  'small',
  standard.filter(
    ({ num_gpu: gpus, gpu_milli: milli }) => gpus === '0' || (gpus === '1' && Number(milli) < 500),
  ),
);
list(
  'gangs',
  standard.filter(({ num_gpu: gpus }) => gpus !== '1' || lone()),
);

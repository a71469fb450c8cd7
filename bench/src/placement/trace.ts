import { type NodeSpec, type RequestShape, WHOLE_GPU } from '@gridbourse/matchmaker/placement';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { UsageError } from '../frame/options.ts';

type Row = Readonly<Record<string, string>>;

/** A comma-separated file with a first line of names, without quotes, as the openb trace has them. */
const rowsOf = (file: string, wanted: readonly string[]): Row[] => {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
  const [head = '', ...lines] = text.split(/\r?\n/).filter((line) => line !== '');
  const names = head.split(',');
  const missing = wanted.filter((name) => !names.includes(name));
  if (missing.length > 0) throw new UsageError(`${file} has no column ${missing.join(', ')}`);
  return lines.map((line, i) => {
    const cells = line.split(',');
    if (cells.length !== names.length)
      throw new UsageError(`${file}:${i + 2} has ${cells.length} cells, not ${names.length}`);
    return Object.fromEntries(names.map((name, at) => [name, cells[at]!]));
  });
};

const amount = (row: Row, name: string): number => {
  const text = row[name]!;
  if (!/^\d+$/.test(text)) throw new UsageError(`${name} is a whole number, not "${text}"`);
  return Number(text);
};

/** Nodes in the order of their names. */
export const readNodes = (file: string): NodeSpec[] =>
  rowsOf(file, ['sn', 'cpu_milli', 'memory_mib', 'gpu', 'model'])
    .sort((a, b) => (a['sn']! < b['sn']! ? -1 : 1))
    .map((row) => ({
      cpuMillis: amount(row, 'cpu_milli'),
      memoryMiB: amount(row, 'memory_mib'),
      gpus: amount(row, 'gpu'),
      model: row['model']!,
    }));

/** `gpu_spec` may be missing: then any model will do. */
export const readPods = (file: string): RequestShape[] =>
  rowsOf(file, ['cpu_milli', 'memory_mib', 'num_gpu', 'gpu_milli']).map((row) => {
    const gpus = amount(row, 'num_gpu');
    const spec = row['gpu_spec'] ?? '';
    return {
      cpuMillis: amount(row, 'cpu_milli'),
      memoryMiB: amount(row, 'memory_mib'),
      gpus,
      gpuThousandths: gpus === 0 ? 0 : gpus > 1 ? WHOLE_GPU : amount(row, 'gpu_milli'),
      models: spec === '' ? null : spec.split('|'),
    };
  });

/** `openb_pod_list_default.csv` is `default`. */
export const listName = (file: string): string =>
  basename(file)
    .replace(/\.csv$/, '')
    .replace(/^openb_pod_list_/, '');

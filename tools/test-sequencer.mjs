// The order in which Jest takes up the files of a tier: those that failed last time first, then the longest.
import TestSequencer from '@jest/test-sequencer';

/**
 * Where no earlier run is on record, Jest takes the size of a file for its time. These are short and take long: begun late,
 * they would be waited for alone. Longest first.
 */
const LONG = [
  'crash.e2e.spec.ts',
  'job.e2e.spec.ts',
  'manifests.e2e.spec.ts',
  'kafka-bus.kafka.spec.ts',
  'crash.kafka.spec.ts',
  'faults.int.spec.ts',
  'crash.int.spec.ts',
];

const rank = ({ path }) => {
  const found = LONG.findIndex((name) => path.endsWith(`/${name}`));
  return found < 0 ? LONG.length : found;
};

export default class LongestFirst extends TestSequencer {
  sort(tests) {
    const usual = super.sort(tests);
    const onRecord = usual.some((test) => this.time(test) !== undefined);
    return onRecord ? usual : usual.sort((a, b) => rank(a) - rank(b));
  }
}

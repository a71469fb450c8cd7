import { describe, expect, it } from '@jest/globals';
import { DomainError, type Fault } from '@gridbourse/kernel';
import fc from 'fast-check';
import { fixtures, icl, sdl, sharedManifests } from '../test/manifests.ts';
import { parseManifest } from './index.ts';

const faultsOf = (text: string): readonly Fault[] => {
  try {
    parseManifest(text);
  } catch (error) {
    if (error instanceof DomainError) return error.faults;
    throw error;
  }
  throw new Error('it should have been refused');
};

const LAUGHS =
  'a0: &a0 [x, x, x, x, x, x, x, x, x]\n' +
  Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(', ')}]`).join(
    '\n',
  );

describe('hostile YAML', () => {
  it.each([
    ['billion laughs', LAUGHS, 'aliases'],
    ['an alias inside its own anchor', 'a: &a [*a]', 'levels deep'],
    ['deep flow lists', '['.repeat(200_000), 'levels deep'],
    ['deep flow maps', '{a: '.repeat(60_000), 'levels deep'],
    ['deep compact lists', '- '.repeat(120_000), 'levels deep'],
    ['deep compact keys', '? '.repeat(120_000), 'levels deep'],
    [
      'deep indentation',
      Array.from({ length: 600 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
      'levels deep',
    ],
    ['too many values', '- 1\n'.repeat(60_000), 'values'],
    ['too many keys', Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`).join('\n'), 'values'],
    ['too large', 'x'.repeat(300_000), 'larger than 256 KiB'],
    ['too large in bytes, not in characters', '\u{1F600}'.repeat(70_000), 'larger than 256 KiB'],
    ['an open quote to the end', `a: "${'\n'.repeat(200_000)}`, 'quote'],
    ['many documents', '---\n'.repeat(50_000), 'values'],
    ['two documents', `${sdl()}\n---\n${sdl()}`, 'one YAML document'],
    ['nothing', '', 'nothing'],
    ['a list', '- a', 'a manifest'],
    ['control characters', '\0\u0001\u0002', 'a manifest'],
    ['a tab as indentation', 'services:\n\tweb: x', 'tabs cannot indent'],
  ])('%s is refused at once', (_what, text, message) => {
    const started = performance.now();
    const [fault] = faultsOf(text);
    expect(fault!.message).toContain(message);
    // Generous: on an idle machine each takes less than 0.15 s.
    expect(performance.now() - started).toBeLessThan(3_000);
  });

  it.each([
    [
      'a key twice',
      sdl().replace('    image: nginx:1.27', '    image: nginx:1.27\n    image: evil:1'),
      '/services/web/image',
      5,
    ],
    [
      'a service twice',
      sdl().replace('profiles:', '  web:\n    image: evil:1\nprofiles:'),
      '/services/web',
      6,
    ],
    ['a list as key', sdl({ root: '? [a, b]\n: c' }), '', 27],
    ['a number as service', sdl().replaceAll('  web:', '  1.5:'), '/services/1.5', 3],
  ])('%s is refused, with its place', (_what, text, pointer, line) => {
    expect(faultsOf(text)).toContainEqual(expect.objectContaining({ pointer, line }));
  });

  it('merges maps by `<<`, as YAML authors expect, and nothing else', () => {
    const text = sdl()
      .replace('deployment:', 'deployment:\n')
      .replace(
        '    anywhere:\n  profile: small\n  count: 1',
        '    anywhere:\n      profile: small\n      count: 1',
      );
    expect(parseManifest(text).spec.groups[0]!.services[0]!.replicas).toBe(1);
    const merged = sdl({ deployment: 'anywhere:\n  <<: {profile: small, count: 2}\n  count: 3' });
    expect(parseManifest(merged).spec.groups[0]!.services[0]!.replicas).toBe(3);
  });

  it('of tags makes no objects', () => {
    const parsed = parseManifest(sdl({ service: 'command: [!!js/function "x", !!binary "eA=="]' }));
    expect(parsed.spec.groups[0]!.services[0]!.command.every((word) => typeof word === 'string')).toBe(true);
  });

  it('does not reach prototypes', () => {
    const faults = faultsOf(sdl({ service: '__proto__: {polluted: true}\nconstructor: x' }));
    expect(faults.map(({ pointer }) => pointer)).toEqual([
      '/services/web/__proto__',
      '/services/web/constructor',
    ]);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe('a secret in a broken manifest', () => {
  it.each([
    'env: API_KEY=planted',
    'env:\n  API_KEY=planted',
    'env:\n  - {API_KEY: planted}',
    'env: {API_KEY: planted}',
    'env:\n  - "API_KEY=planted',
    'env:\n  - API_KEY: >planted\n  planted',
    'env:\n  - [API_KEY=planted]\n - x',
    'env:\n  - =planted',
    'env:\n  - "\\x07=planted"',
    'env:\n  - @planted',
    'env:\n  - API_KEY="planted\n  - *planted',
    'credentials: planted',
    'credentials: [planted]',
    'credentials: {host: ghcr.io, username: [planted], password: {planted: 1}}',
    'credentials: {host: ghcr.io, username: me, password: planted, email: {a: planted}}}',
  ])('is not repeated by its faults: %s', (yaml) => {
    let said = '';
    try {
      parseManifest(sdl({ service: yaml }));
    } catch (error) {
      said = `${String(error)} ${JSON.stringify((error as DomainError).faults)}`;
    }
    expect(said).not.toContain('planted');
  });
});

describe('any text', () => {
  const seeds = [...fixtures(), ...sharedManifests()].map(({ text }) => text).concat(sdl(), icl());
  const snippet = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '-1',
      '0',
      '1e999',
      '9'.repeat(400),
      '&a',
      '*a',
      '!!x',
      '<<: *a',
      '{',
      '}',
      '[',
      ']',
      '"',
      "'",
      '|',
      '>',
      '\t',
      '\n',
      ': ',
      '- ',
      '#',
      '%',
      '\0',
      '\u2028',
      '~',
      'null',
      'true',
    ),
  );
  const mutation = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    cut: fc.nat(40),
    put: snippet,
  });

  it('made from a real manifest is either read or refused with faults that have a place', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(mutation, { minLength: 1, maxLength: 6 }),
        (seed, mutations) => {
          let text = seed;
          for (const { at, cut, put } of mutations) {
            const from = Math.floor(at * text.length);
            text = text.slice(0, from) + put + text.slice(from + cut);
          }
          try {
            parseManifest(text);
          } catch (error) {
            expect(error).toBeInstanceOf(DomainError);
            const { kind, code, faults } = error as DomainError;
            expect([kind, code]).toEqual(['invalid', 'invalid_manifest']);
            expect(faults.length).toBeGreaterThan(0);
            for (const fault of faults) {
              expect(fault.line).toBeGreaterThan(0);
              expect(fault.column).toBeGreaterThan(0);
              expect(fault.message.length).toBeLessThan(1_000);
            }
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it('at all does the same', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(() => parseManifest(text)).toThrow(DomainError);
      }),
    );
  });
});

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export type ManifestFile = { readonly name: string; readonly text: string };

const readAll = (folder: string): ManifestFile[] =>
  readdirSync(folder)
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));

/** The handful of real manifests that the library carries. */
export const fixtures = (): ManifestFile[] => readAll(join(import.meta.dirname, 'fixtures'));

/** Every real manifest of the shared data, or none where it is not there. */
export const sharedManifests = (): ManifestFile[] => {
  const root = join(import.meta.dirname, '../../../../shared/data/manifests');
  if (!existsSync(root)) return [];
  return ['akash-sdl', 'spheron-icl'].flatMap((dialect) => readAll(join(root, dialect)));
};

export const fixture = (name: string): string => {
  const found = fixtures().find((file) => file.name.startsWith(name));
  if (!found) throw new Error(`no fixture ${name}`);
  return found.text;
};

/** A small valid SDL; each part can be replaced by YAML text, which is indented to its place. */
export const sdl = (
  parts: {
    service?: string;
    resources?: string;
    placement?: string;
    deployment?: string;
    root?: string;
  } = {},
): string => {
  const indent = (text: string, by: number): string =>
    text
      .split('\n')
      .map((line) => (line === '' ? line : ' '.repeat(by) + line))
      .join('\n');
  return `version: "2.0"
services:
  web:
    image: nginx:1.27
${indent(parts.service ?? 'env: []', 4)}
profiles:
  compute:
    small:
      resources:
${indent(parts.resources ?? 'cpu:\n  units: 1\nmemory:\n  size: 512Mi\nstorage:\n  size: 1Gi', 8)}
  placement:
    anywhere:
${indent(parts.placement ?? 'pricing:\n  small:\n    denom: uact\n    amount: 1000', 6)}
deployment:
  web:
${indent(parts.deployment ?? 'anywhere:\n  profile: small\n  count: 1', 4)}
${parts.root ?? ''}`;
};

/** A small valid ICL, likewise. */
export const icl = (
  parts: { profiles?: string; amount?: string; token?: string } = {},
): string => `version: "1.0"
services:
  web:
    image: nginx:1.27
    expose:
      - port: 80
        to:
          - global: true
profiles:
  name: site
${parts.profiles ?? '  duration: 1h\n  mode: provider'}
  compute:
    web:
      resources:
        cpu: { units: 0.5 }
        memory: { size: 512Mi }
        storage: [{ size: 1Gi }]
  placement:
    westcoast:
      pricing:
        web:
          token: ${parts.token ?? 'uSPON'}
          amount: ${parts.amount ?? '0.5'}
deployment:
  web:
    westcoast: { profile: web, count: 1 }
`;

import type { Dialect } from './context.ts';
import { didYouMean, quoted } from './nearest.ts';
import type { Report } from './report.ts';
import type { YamlMapping, YamlNode } from './yaml-tree.ts';

const VERSIONS: Readonly<Record<Dialect, readonly string[]>> = {
  'akash-sdl': ['2.0', '2.1'],
  'spheron-icl': ['1.0', '2.0'],
};
const ICL_PROFILE_FIELDS = ['duration', 'mode', 'tier', 'tiers', 'name'];

const childMap = (node: YamlNode | undefined, name: string): YamlMapping | null => {
  const child = node?.kind === 'map' ? node.entries.get(name)?.value : undefined;
  return child?.kind === 'map' ? child : null;
};

/**
 * Both dialects have a version 2.0, so the content decides: only the ICL has a duration, a mode, a name or tiers in its
 * profiles, and prices in a `token`; version 1.0 is ICL and 2.1 is SDL in any case. Null, with a fault, when the document
 * is no manifest at all.
 */
export const readDialect = (
  report: Report,
  root: YamlMapping,
): { readonly dialect: Dialect; readonly version: string } | null => {
  const versionNode = root.entries.get('version')?.value;
  if (!looksLikeManifest(root, versionNode)) {
    report.fault(
      root,
      `not an Akash SDL or Spheron ICL manifest: expected \`version\`, \`services\`, \`profiles\` and \`deployment\`, found ${[...root.entries.keys()].slice(0, 6).map(quoted).join(', ') || 'nothing'}`,
    );
    return null;
  }
  const dialect = looksLikeIcl(root, versionNode) ? 'spheron-icl' : 'akash-sdl';
  if (versionNode?.kind !== 'scalar') {
    report.fault(
      versionNode ?? root,
      `\`version\` is missing: expected one of ${VERSIONS[dialect].join(', ')}`,
    );
    return { dialect, version: VERSIONS[dialect][0]! };
  }
  const written = versionNode.text.trim();
  const version = /^\d+$/.test(written) ? `${written}.0` : written;
  if (!VERSIONS[dialect].includes(version)) {
    const known = VERSIONS[dialect].join(', ');
    report.fault(
      versionNode,
      `unknown version ${quoted(written)}${didYouMean(written, VERSIONS[dialect])}; known: ${known}`,
    );
  }
  return { dialect, version: version.slice(0, 10) };
};

const looksLikeManifest = (root: YamlMapping, version: YamlNode | undefined): boolean => {
  if (root.entries.has('profiles') || root.entries.has('deployment')) return true;
  const text = version?.kind === 'scalar' ? version.text.trim() : '';
  return root.entries.has('services') && Object.values(VERSIONS).flat().includes(text);
};

const looksLikeIcl = (root: YamlMapping, version: YamlNode | undefined): boolean => {
  const text = version?.kind === 'scalar' ? version.text.trim() : '';
  if (/^1(?:\.|$)/.test(text)) return true;
  if (text === '2.1') return false;
  const profiles = childMap(root, 'profiles');
  if (profiles === null) return false;
  if (ICL_PROFILE_FIELDS.some((name) => profiles.entries.has(name))) return true;
  for (const { value: placement } of childMap(profiles, 'placement')?.entries.values() ?? []) {
    for (const { value: price } of childMap(placement, 'pricing')?.entries.values() ?? []) {
      if (price.kind === 'map' && price.entries.has('token')) return true;
    }
  }
  return false;
};

import type { Report } from './report.ts';
import { readTexts } from './fields.ts';
import { didYouMean, quoted } from './nearest.ts';
import type { YamlNode } from './yaml-tree.ts';

/** The worst provider tier that each name of the ICL lets in: `secured` is 1 to 3, `community` 4 to 7. */
const WORST_TIER: Readonly<Record<string, number>> = {
  secured: 3,
  'secured-1': 1,
  'secured-2': 2,
  'secured-3': 3,
  community: 7,
  'community-1': 4,
  'community-2': 5,
  'community-3': 6,
  'community-4': 7,
};
const NAMES = Object.keys(WORST_TIER);

export const WORST_OF_ALL = 7;

/**
 * The floor that a list of tier names means: the worst tier that any of them lets in. A better tier than those named also
 * does, at no higher price. Null when none is named.
 */
export const readTierFloor = (report: Report, node: YamlNode | null): number | null => {
  if (node === null) return null;
  const floors: number[] = [];
  for (const text of readTexts(report, node, 'a list of tiers')) {
    const name = text
      .trim()
      .toLowerCase()
      .replace(/^(secured|community)(\d)$/, '$1-$2');
    if (Object.hasOwn(WORST_TIER, name)) floors.push(WORST_TIER[name]!);
    else
      report.fault(
        node,
        `unknown tier ${quoted(text)}${didYouMean(name, NAMES)}; known: ${NAMES.join(', ')}`,
      );
  }
  return floors.length === 0 ? null : Math.max(...floors);
};

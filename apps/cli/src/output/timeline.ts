import type { TimelineItem } from '@gridbourse/sdk';
import pc from 'picocolors';

const colour = (type: string): ((text: string) => string) => {
  if (/Activated|Running|Matched|Fulfilled|Settled/.test(type)) return pc.green;
  if (/Unmatched|Closing|Low|Unknown|Degraded/.test(type)) return pc.yellow;
  if (/Failed|Lapsed|Rejected|Expired|Exhausted/.test(type)) return pc.red;
  return (text) => text;
};

/** As long as the longest type that a timeline tells of, `LeaseFundingRetracted`. */
const TYPE_WIDTH = 21;

/** One line of an order's life: when, since the beginning, what. */
export const timelineLine = (item: TimelineItem, begunMs: number): string => {
  const seconds = ((Date.parse(item.at) - begunMs) / 1_000).toFixed(2).padStart(8);
  return `  ${pc.dim(item.at.slice(11, 23))} ${pc.dim(`${seconds} s`)}  ${colour(item.type)(item.type.padEnd(TYPE_WIDTH))} ${item.text}`;
};

import type { Explanation, Money } from '@gridbourse/sdk';
import Table from 'cli-table3';
import pc from 'picocolors';

/** A plain table without rules: reads well, copies well. Without titles there is no head. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const blank = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '' };
  const rules = { 'bottom-left': '', 'bottom-right': '', left: '', 'left-mid': '', mid: '', 'mid-mid': '' };
  const made = new Table({
    head: head.some((title) => title !== '') ? head.map((title) => pc.dim(title)) : [],
    chars: { ...blank, ...rules, right: '', 'right-mid': '', middle: '  ' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  made.push(...rows.map((row) => [...row]));
  return made.toString();
};

export const usdc = (money: Money | null): string => (money === null ? '-' : `$${money.usdc}`);
export const perHour = (money: Money | null): string => (money === null ? '-' : `$${money.usdc}/h`);
export const percent = (share: number | null): string =>
  share === null ? '-' : `${Math.round(share * 100)} %`;
export const clock = (time: string | null): string => (time === null ? '-' : time.slice(11, 19));

export const state = (name: string): string => {
  if (['active', 'fulfilled', 'running'].includes(name)) return pc.green(name);
  if (['unmatched', 'closing', 'unreachable', 'proposed', 'accepted', 'funded'].includes(name))
    return pc.yellow(name);
  if (['lapsed', 'rejected', 'failed', 'offline', 'expired'].includes(name)) return pc.red(name);
  return name;
};

export const explanationText = (explanation: Explanation): string => {
  const lines = [explanation.summary];
  if (explanation.constraints.length > 0) {
    lines.push(
      table(
        ['constraint', 'offers that fail it', 'expected'],
        explanation.constraints.map((c) => [
          c.constraint,
          `${c.failed} of ${explanation.offersConsidered}`,
          c.expected,
        ]),
      ),
    );
  }
  if (explanation.smallestChange) lines.push(`${pc.bold('Would match:')} ${explanation.smallestChange.text}`);
  return lines.join('\n');
};

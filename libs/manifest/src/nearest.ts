/** Longer words and more of them are not compared: the cost grows with the product of all three. */
const MAX_LENGTH = 40;
const MAX_KNOWN = 64;

const editDistance = (a: string, b: string): number => {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substituted = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substituted, previous[j]! + 1, current[j - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
};

/** The known word that was probably meant, or null when none is near. */
export const nearest = (word: string, known: readonly string[]): string | null => {
  if (word.length > MAX_LENGTH) return null;
  const lower = word.toLowerCase();
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known.slice(0, MAX_KNOWN)) {
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const distance = editDistance(lower, candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
};

/** ` (did you mean \`service\`?)`, or nothing. */
export const didYouMean = (word: string, known: readonly string[]): string => {
  const meant = nearest(word, known);
  return meant === null ? '' : ` (did you mean \`${meant}\`?)`;
};

/** Text of others inside a message of ours: short, and on one line. */
export const quoted = (text: string): string => {
  const short = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  return `\`${short.replace(/\p{C}/gu, '?')}\``;
};

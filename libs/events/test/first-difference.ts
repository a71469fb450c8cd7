/** Where two texts part, for a person; null when they are equal. */
export const firstDifference = (committed: string, generated: string): string | null => {
  if (committed === generated) return null;
  const [was, is] = [committed.split('\n'), generated.split('\n')];
  const line = is.findIndex((text, i) => text !== was[i]);
  const at = line === -1 ? is.length : line;
  return `line ${at + 1}: committed "${was[at] ?? ''}", generated "${is[at] ?? ''}"`;
};

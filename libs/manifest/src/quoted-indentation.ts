/** A fault of the YAML parser: its code and where. */
type Complaint = { readonly code: string; readonly offset: number };

const MAX_MENDED = 16;
const MAX_LENGTH = 1_048_576;
const INDENT = ' '.repeat(64);

/**
 * Indents the following lines of quoted texts that the parser saw end too early, one text after the other, until it
 * complains no more. Line breaks and leading blanks inside quoted text fold into one blank, so the value is the one that
 * laxer parsers read, and line numbers stay. Null when that is not what is wrong.
 */
export const mendQuotedIndentation = (
  text: string,
  complaintsAbout: (text: string) => readonly Complaint[] | null,
): { readonly text: string; readonly line: number } | null => {
  let current = text;
  let firstLine: number | null = null;
  for (let round = 0; round < MAX_MENDED; round += 1) {
    const complaints = complaintsAbout(current);
    if (complaints === null) return null;
    if (complaints.length === 0) return firstLine === null ? null : { text: current, line: firstLine };
    const broken = complaints.find(({ code }) => code === 'MISSING_CHAR');
    if (broken === undefined) return null;
    const opening = openingQuote(current, broken.offset);
    const mended = opening === null ? null : indentUntilClosed(current, opening);
    if (mended === null || mended === current || mended.length > MAX_LENGTH) return null;
    firstLine ??= current.slice(0, opening!).split('\n').length;
    current = mended;
  }
  return null;
};

/** The parser complains at the end of the first line of the text; the quote that opened it is before that. */
const openingQuote = (text: string, offset: number): number | null => {
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1;
  const line = text.slice(lineStart, offset + 1);
  const match = /^(?:\s*-\s+)*(?:\s*[\w.-]+:\s+)?\s*(['"])/.exec(line);
  return match === null ? null : lineStart + match[0].length - 1;
};

const indentUntilClosed = (text: string, opening: number): string | null => {
  const quote = text[opening]!;
  let at = opening + 1;
  while (at < text.length) {
    if (quote === '"' && text[at] === '\\') at += 2;
    else if (text[at] === quote && quote === "'" && text[at + 1] === "'") at += 2;
    else if (text[at] === quote) break;
    else at += 1;
  }
  if (at >= text.length) return null;
  const inside = text.slice(opening, at);
  return text.slice(0, opening) + inside.replaceAll('\n', `\n${INDENT}`) + text.slice(at);
};

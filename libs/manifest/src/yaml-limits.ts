import { type CST, Lexer } from 'yaml';

/** Hard limits on what is read at all. Real manifests are far inside: 13 KiB, 9 levels, 600 values, no aliases. */
export const YAML_LIMITS = {
  bytes: 262_144,
  depth: 32,
  values: 10_000,
  aliases: 100,
  /** Words, blanks, line breaks and signs, as the lexer cuts them. */
  lexemes: 60_000,
} as const;

export type Excess = { readonly offset: number; readonly message: string };

const tooDeep = `nested more than ${YAML_LIMITS.depth} levels deep`;
const tooMany = `more than ${YAML_LIMITS.values} values`;

/**
 * Finds where a text passes a limit, reading it once and stopping there: before anything is built from it, so that a
 * hostile text costs milliseconds. Nesting by indentation is left to `measureTokens`: its depth grows with the square
 * root of the size only.
 */
export const measureText = (text: string): Excess | null => {
  let offset = 0;
  let lexemes = 0;
  let flowDepth = 0;
  let compactDepth = 0;
  for (const lexeme of new Lexer().lex(text)) {
    lexemes += 1;
    if (lexemes > YAML_LIMITS.lexemes) return { offset, message: tooMany };
    if (lexeme === '[' || lexeme === '{') flowDepth += 1;
    else if (lexeme === ']' || lexeme === '}') flowDepth -= 1;
    else if (lexeme === '-' || lexeme === '?') compactDepth += 1;
    else if (lexeme.endsWith('\n')) compactDepth = 0;
    if (Math.max(flowDepth, compactDepth) > YAML_LIMITS.depth) return { offset, message: tooDeep };
    // The lexer marks documents and scalars by single control characters that are not in the text.
    if (!MARKS.has(lexeme)) offset += lexeme.length;
  }
  return null;
};

const MARKS = new Set(['\u0002', '\u0018', '\u001f']);

/** Walks a token with a stack of its own, because what comes after recurses, and finds where it passes a limit. */
export const measureTokens = (root: CST.Token, size: { values: number }): Excess | null => {
  const stack: { token: CST.Token; depth: number }[] = [{ token: root, depth: 0 }];
  while (stack.length > 0) {
    const { token, depth } = stack.pop()!;
    size.values += 1;
    if (depth > YAML_LIMITS.depth) return { offset: token.offset, message: tooDeep };
    if (size.values > 2 * YAML_LIMITS.values) return { offset: token.offset, message: tooMany };
    if (token.type === 'document' && token.value) stack.push({ token: token.value, depth: depth + 1 });
    if (!('items' in token)) continue;
    for (const item of token.items) {
      if (item.key) stack.push({ token: item.key, depth: depth + 1 });
      if (item.value) stack.push({ token: item.value, depth: depth + 1 });
    }
  }
  return null;
};

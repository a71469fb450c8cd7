import type { ErrorCode } from 'yaml';

/**
 * Our own words for what the YAML parser finds: its messages repeat the text around the fault, and that text may be
 * somebody's password.
 */
const WORDS: Readonly<Partial<Record<ErrorCode, string>>> = {
  ALIAS_PROPS: 'an alias cannot have a tag or an anchor',
  BAD_ALIAS: 'an alias or anchor has no proper name',
  BAD_COLLECTION_TYPE: 'a tag does not fit the list or map that follows it',
  BAD_DIRECTIVE: 'a directive that is not known',
  BAD_DQ_ESCAPE: 'an escape in double quotes that is not known',
  BAD_INDENT: 'the indentation does not fit the lines above',
  BAD_PROP_ORDER: 'an anchor or tag is in the wrong place',
  BAD_SCALAR_START: 'a text cannot start with this character; quote it',
  BLOCK_AS_IMPLICIT_KEY: 'a key and its value are not where a key can be; check the indentation above',
  BLOCK_IN_FLOW: 'a block list or map cannot stand inside brackets',
  KEY_OVER_1024_CHARS: 'a key has more than 1024 characters',
  MISSING_CHAR: 'a closing quote, bracket, comma or colon is missing',
  MULTILINE_IMPLICIT_KEY: 'a key goes over more than one line; a colon or a quote is missing above',
  MULTIPLE_ANCHORS: 'a value has more than one anchor',
  MULTIPLE_DOCS: 'more than one document',
  MULTIPLE_TAGS: 'a value has more than one tag',
  NON_STRING_KEY: 'a key is not a text',
  TAB_AS_INDENT: 'tabs cannot indent; use blanks',
  TAG_RESOLVE_FAILED: 'a tag that is not known here',
  UNEXPECTED_TOKEN: 'this does not belong here',
};

export const syntaxFault = (code: ErrorCode): string => WORDS[code] ?? 'it cannot be read from here on';

/** Constants in Milvus' expression language. */

/**
 * The grammar ends a string at a line break and unquotes the rest as Go does: backslashes, quotes and control characters
 * need an escape, everything else stands for itself (internal/parser/planparserv2/Plan.g4; seen with 2.3.5).
 */
// eslint-disable-next-line no-control-regex -- control characters are what this is about.
const ESCAPED_CHARACTERS = /["\\\u0000-\u001f\u007f]/g;

const escaped = (character: string): string =>
  character === '"' || character === '\\'
    ? `\\${character}`
    : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;

export const varcharLiteral = (key: string): string => `"${key.replace(ESCAPED_CHARACTERS, escaped)}"`;

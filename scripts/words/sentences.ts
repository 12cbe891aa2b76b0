/** Splits the prose of a Markdown text into sentences. Code, tables, headings and pictures are no prose. */

export interface Sentence {
  /** Of the paragraph's first line, from 1. */
  readonly line: number;
  readonly text: string;
  readonly words: number;
  readonly parentheses: number;
}

export function sentencesOf(markdown: string): Sentence[] {
  return paragraphsOf(markdown).flatMap(({ line, text }) =>
    text
      .replace(/`[^`]*`/g, 'C')
      .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
      .split(/(?<=[.!?:;])\s+(?=["(*[]?[A-Z0-9])|(?<=[;:])\s+/)
      .map((sentence) => ({
        line,
        text: sentence,
        words: sentence.split(/\s+/).filter((each) => /[\p{L}\p{N}]/u.test(each)).length,
        parentheses: sentence.split('(').length - 1,
      })),
  );
}

interface Paragraph {
  readonly line: number;
  readonly text: string;
}

function paragraphsOf(markdown: string): Paragraph[] {
  const paragraphs: Paragraph[] = [];
  let lines: string[] = [];
  let first = 0;
  let inCode = false;
  const end = (): void => {
    if (lines.length > 0) paragraphs.push({ line: first, text: lines.join(' ') });
    lines = [];
  };
  for (const [index, line] of markdown.split('\n').entries()) {
    const isFence = /^\s*(```|~~~)/.test(line);
    if (isFence) inCode = !inCode;
    if (isFence || inCode || NO_PROSE.test(line)) {
      end();
      continue;
    }
    if (LIST_ITEM.test(line)) end();
    if (lines.length === 0) first = index + 1;
    lines.push(
      line
        .replace(LIST_ITEM, '')
        .replace(/^\s*>\s?/, '')
        .trim(),
    );
  }
  end();
  return paragraphs;
}

/** A label with a list of links, such as the errors of an endpoint, is a table in one line. */
const NO_PROSE = /^\s*$|^\s*(#|<|\||!\[)|^- \w+: \[\w+\]\([^)]*\)(, \[\w+\]\([^)]*\))*$/;
const LIST_ITEM = /^\s*([-*]|\d+\.)\s+/;

/** Finds what breaks the rules of `rules.ts` in one text. Reads lines and sentences, not syntax. */
import { PHRASES_LEFT_OUT } from './exceptions.ts';
import { type Place, type Rule, LONGEST_SENTENCE, MOST_PARENTHESES, RULES } from './rules.ts';
import { sentencesOf } from './sentences.ts';

export interface Finding {
  /** From 1. */
  readonly line: number;
  readonly text: string;
  readonly reason: string;
  /** The line to write in place of the rule's example. */
  readonly instead: string;
}

/** @param path decides which rules count: sentences count in Markdown, openings in code. */
export function findWords(path: string, text: string): Finding[] {
  const isDocument = path.endsWith('.md');
  const lines = text.split('\n');
  const findings = lines.flatMap((full, index) => {
    const seen = withoutPhrases(full);
    const before = lines[index - 1] ?? '';
    return RULES.filter((rule) => breaks(rule, seen, before, isDocument)).map((rule) =>
      finding(index + 1, full, rule.reason, rule.example[1]),
    );
  });
  return isDocument ? [...findings, ...longSentences(text)] : findings;
}

function breaks(rule: Rule, line: string, before: string, isDocument: boolean): boolean {
  const part = PARTS[rule.in](line, before, isDocument);
  return part !== undefined && rule.pattern.test(part);
}

/** The part of a line that a rule reads; undefined where the line has none. */
const PARTS: Record<
  Place,
  (line: string, before: string, isDocument: boolean) => string | undefined
> = {
  line: (line) => line,
  'doc-start': (line, before, isDocument) => {
    if (isDocument) return undefined;
    const opens = /^\s*\/\*\*\s+(.*)/.exec(line)?.[1];
    if (opens !== undefined) return opens;
    if (/^\s*\/\*\*\s*$/.test(before)) return /^\s*\*\s+(.*)/.exec(line)?.[1];
    if (/^\s*\/\//.test(before)) return undefined;
    return /^\s*\/\/\s+(.*)/.exec(line)?.[1];
  },
  help: (line, _before, isDocument) =>
    isDocument ? /^\| `-[^|]*(?:\\\|[^|]*)*\| (.*)/.exec(line)?.[1] : undefined,
};

function longSentences(text: string): Finding[] {
  return sentencesOf(text).flatMap(({ line, text: sentence, words, parentheses }) => [
    ...(words > LONGEST_SENTENCE
      ? [
          finding(
            line,
            sentence,
            `A sentence of ${words} words; the most is ${LONGEST_SENTENCE}.`,
            'two sentences',
          ),
        ]
      : []),
    ...(parentheses > MOST_PARENTHESES
      ? [finding(line, sentence, `A sentence with ${parentheses} parentheses.`, 'two sentences')]
      : []),
  ]);
}

const withoutPhrases = (line: string): string =>
  PHRASES_LEFT_OUT.reduce((rest, { match }) => rest.replaceAll(match, ''), line);

const finding = (line: number, text: string, reason: string, instead: string): Finding => ({
  line,
  text: text.trim(),
  reason,
  instead,
});

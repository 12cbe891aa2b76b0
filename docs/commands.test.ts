/**
 * Every `skein …` on a page is a command that exists, with options that it has. Lines that readers
 * type in an `sh` block are also run (readme.test.ts); these lines are only read.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SkeinError } from '@skein/api/errors';
import { describe, expect, it } from 'vitest';
import { parseArguments } from '../packages/cli/src/command-line/parse.ts';
import { flag } from '../packages/cli/src/command-line/option.ts';
import { loadCommand, selectCommand } from '../packages/cli/src/commands.ts';
import { pages, ROOT } from './.vitepress/pages.ts';

interface Mention {
  readonly line: string;
  /** In a block, where a line is whole; in a sentence a command stands for itself. */
  readonly whole: boolean;
}

const BLOCK = /^ *```(?:sh|bash|console|text)?\n([^]*?)^ *```/gm;
const COMMAND = /^(?:[A-Z_]+=\S* )*(?:npx )?skein (?=[a-z-])/;

function mentionsOf(text: string): Mention[] {
  const blocks = [...text.matchAll(BLOCK)].flatMap(([, block = '']) =>
    block.replaceAll(/\\\n\s*/g, '').split('\n'),
  );
  const prose = text.replaceAll(/^ *```[^]*?^ *```/gm, '');
  const code = [...prose.matchAll(/`([^`]+)`/g)].map(([, line = '']) => line);
  return [
    ...blocks.map((line) => ({ line: line.trim(), whole: true })),
    ...code.map((line) => ({ line: line.replaceAll(/\s+/g, ' '), whole: false })),
  ].filter(({ line }) => COMMAND.test(line));
}

/** The words of a line as a shell splits them, up to a comment, a pipe or what a page leaves out. */
function wordsOf(line: string): string[] {
  const word = /(?:'[^']*'|"[^"]*"|\$\([^)]*\)|[^\s'"])+/g;
  const words: string[] = [];
  for (const [found] of line.replace(COMMAND, '').matchAll(word)) {
    if (/^[#|>&;…]/.test(found)) break;
    // A part may be quoted, as in features='[1, 2]'.
    words.push(found.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2'));
  }
  return words;
}

/** The error in a mention; undefined when it can be typed. */
async function objection({ line, whole }: Mention): Promise<string | undefined> {
  const words = wordsOf(line);
  try {
    const { name, group, rest } = selectCommand(words);
    if (name === undefined) return whole ? `${group} is only a group` : undefined;
    const { arguments: args, options } = await loadCommand(name);
    parseArguments(rest, { arguments: args, options: { ...options, json: flag('') } });
  } catch (error) {
    if (!(error instanceof SkeinError)) throw error;
    // In a sentence the rest is left out, and a capital stands for any value.
    if (!whole && /missing|needs a value/.test(error.message)) return undefined;
    if (/"[A-Z]+"/.test(error.message) && !whole) return undefined;
    if (/".*…"|missing/.test(error.message) && line.includes('…')) return undefined;
    return error.message;
  }
  return undefined;
}

describe('the commands that pages mention', () => {
  const written = pages().filter((page) => !/reference\/|CHANGELOG|decisions\//.test(page));
  const mentions = written.map((page) => ({
    page,
    found: mentionsOf(readFileSync(join(ROOT, page), 'utf8')),
  }));

  it('are found', () => {
    expect(mentions.flatMap(({ found }) => found).length).toBeGreaterThan(200);
  });

  it.each(mentions.filter(({ found }) => found.length > 0))('$page', async ({ found }) => {
    const wrong: string[] = [];
    for (const mention of found) {
      const why = await objection(mention);
      if (why !== undefined) wrong.push(`${mention.line}: ${why}`);
    }
    expect(wrong).toEqual([]);
  });
});

/**
 * The commands, programs and expected outputs of a page, in their order.
 *
 * - An `sh` block is typed line by line. The next `text` block, before any other block of commands, is what it prints.
 *   A command may fail where this output has a line that begins with `✗` or `error:`.
 * - A `python` or `ts` block with a title such as `[Python]` is run as a program, and may have an output too. Blocks
 *   with a title that follow each other are one call from several clients; an output after them is printed by each.
 * - A `text` block that begins with a command is typed too.
 * - A block with the title `[NAME.EXT]` is a file that the reader saves under this name.
 */
import { readFileSync } from 'node:fs';

export interface Step {
  readonly kind: 'commands' | 'program' | 'file';
  /** Number of its first line in the page. */
  readonly line: number;
  readonly language: string;
  /** The name of a file, or of a client. */
  readonly title: string | undefined;
  readonly lines: readonly string[];
  /** Lines of the `text` block after it. */
  expected?: readonly string[];
}

const FENCE = /^( *)```(\w*)(?: \[([^\]]+)\])?.*\n([^]*?)^\1```/gm;
const PROGRAMS = ['python', 'ts'];
const COMMANDS = ['sh', 'bash', 'console'];
const COMMAND =
  /^(?:[A-Z_]+=\S* )*(?:npx|npm|skein|curl|docker|docker-compose|kubectl|gcloud|helm|terraform|git|bash) /;

export function readPage(path: string): readonly Step[] {
  const page = readFileSync(path, 'utf8');
  const steps: Step[] = [];
  /** Index in the page where the last block ended, and the steps that an output belongs to. */
  let end = -1;
  let group: Step[] = [];
  for (const found of page.matchAll(FENCE)) {
    const [whole, indent = '', language = '', title, content = ''] = found;
    const lines = content.split('\n').map((line) => line.slice(indent.length));
    lines.pop();
    const line = page.slice(0, found.index).split('\n').length + 1;
    const isTyped = COMMAND.test(lines.find((each) => each.trim() !== '')?.trim() ?? '');
    if (language === 'text' && !isTyped) {
      for (const step of group) step.expected = lines;
      group = [];
      continue;
    }
    const kind = isTyped ? 'commands' : kindOf(language, title);
    if (kind === undefined) continue;
    const step: Step = { kind, line, language, title, lines };
    const follows = title !== undefined && page.slice(end, found.index).trim() === '';
    group = follows ? [...group, step] : [step];
    end = found.index + whole.length;
    steps.push(step);
  }
  return steps;
}

function kindOf(language: string, title: string | undefined): Step['kind'] | undefined {
  if (COMMANDS.includes(language)) return 'commands';
  if (title?.includes('.')) return 'file';
  return PROGRAMS.includes(language) && title !== undefined ? 'program' : undefined;
}

/** The commands of a block: a backslash, an open quote or a here-document continues with the next line. */
export function commandsOf({ lines }: Step): readonly string[] {
  const commands: string[] = [];
  let open = '';
  for (const line of lines) {
    open += open === '' ? line : `\n${line}`;
    if (isOpen(open)) continue;
    if (!/^\s*(#|$)/.test(open)) commands.push(open);
    open = '';
  }
  if (open !== '') commands.push(open);
  return commands;
}

function isOpen(command: string): boolean {
  if (command.endsWith('\\')) return true;
  const [, word] = /<<-?\s*'?(\w+)'?/.exec(command) ?? [];
  if (word !== undefined) return !command.endsWith(`\n${word}`);
  return (command.replaceAll(/\\'/g, '').split("'").length - 1) % 2 === 1;
}

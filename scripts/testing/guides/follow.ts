/** Follows a page, and compares the printed with the shown. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { requireComponent, type Component } from '../components.ts';
import { firstDifference } from './compare.ts';
import { exceptionFor, type Exception } from './not-reproduced.ts';
import { commandsOf, readPage, type Step } from './page.ts';
import type { Reader } from './reader.ts';

const ROOT = join(import.meta.dirname, '../../..');

/** Pages that one reader follows, in this order: `npm start` of the first serves the others too. */
export const FOLLOWED = [
  'README.md',
  'docs/guide/serving.md',
  'docs/guide/converted-models.md',
  'docs/guide/compositions.md',
  'docs/guide/jobs.md',
  'docs/guide/pipelines.md',
  'docs/guide/sandbox.md',
  'docs/guide/training.md',
  'docs/guide/local-language-models.md',
  'docs/guide/language-models.md',
  'docs/guide/data.md',
  'docs/guide/data-sets.md',
  'docs/guide/data-quality.md',
  'docs/guide/google-cloud.md',
  'docs/guide/kubernetes.md',
  'docs/guide/kubernetes-jobs.md',
] as const;

/** Pages that start their own nodes: each has a reader of its own. */
export const FOLLOWED_ALONE: readonly string[] = [
  'docs/guide/containers.md',
  'docs/guide/workers.md',
  'docs/guide/judge.md',
  'docs/guide/health.md',
  'docs/guide/operating.md',
  'docs/guide/federation.md',
  'docs/guide/edge.md',
  'docs/guide/quantise.md',
  'docs/guide/fleet.md',
  'docs/guide/open-to-strangers.md',
];

/** System components without which a page cannot be followed. */
export const NEEDED: Readonly<Record<string, readonly Component[]>> = {
  'docs/guide/converted-models.md': ['python3-xgboost'],
  'docs/guide/jobs.md': ['bubblewrap'],
  'docs/guide/pipelines.md': ['bubblewrap'],
  'docs/guide/sandbox.md': ['bubblewrap'],
  'docs/guide/training.md': ['python3-torch'],
  'docs/guide/workers.md': ['bubblewrap', 'redis'],
  'docs/guide/judge.md': ['bubblewrap'],
  'docs/guide/fleet.md': ['bubblewrap', 'redis'],
};

/** One command, program or output of a page. */
export interface Item {
  readonly page: string;
  readonly line: number;
  readonly what: string;
  /** Why it is not reproduced; undefined where it is. */
  readonly reason?: string;
  /** It is not run on this machine. */
  readonly isExcepted?: true;
}

export async function followPage(page: string, reader: Reader): Promise<readonly Item[]> {
  const items: Item[] = [];
  for (const step of readPage(join(ROOT, page))) {
    if (step.kind === 'file') await reader.save(step.title!, step.lines);
    else items.push(...(await followStep(page, step, reader)));
  }
  return items;
}

async function followStep(page: string, step: Step, reader: Reader): Promise<readonly Item[]> {
  const items: Item[] = [];
  const printed: string[] = [];
  let excepted = 0;
  const { line } = step;
  const commands = step.kind === 'program' ? [`${step.title} program`] : commandsOf(step);
  for (const command of commands) {
    const exception = exceptionFor(page, command);
    if (exception !== undefined) {
      excepted++;
      const item = { page, line, what: command };
      items.push({ ...item, ...(await checkUnrun(command, exception, reader)) });
      continue;
    }
    const { status, lines } = await (step.kind === 'program'
      ? reader.runProgram(step.language, step.lines)
      : reader.type(command, step.expected?.findLast(isWhole)));
    printed.push(...lines);
    const module = /ModuleNotFoundError: (.*)/.exec(lines.join('\n'))?.[1];
    if (module !== undefined) {
      excepted++;
      items.push({ page, line, what: command, reason: module, isExcepted: true });
    } else if (status === 0 || showsFailure(step)) items.push({ page, line, what: command });
    else
      items.push({
        page,
        line,
        what: command,
        reason: `exits with ${status}: ${lines.join('\n')}`,
      });
  }
  if (step.expected === undefined) return items;
  const what = `the output of ${commands.join('; ')}`;
  if (excepted === commands.length) {
    items.push({ page, line, what, reason: 'no command of it is run', isExcepted: true });
  } else {
    const reason = firstDifference(step.expected, printed);
    items.push({ page, line, what, ...(reason === undefined ? {} : { reason }) });
  }
  return items;
}

/** A program or command that is not run is read, or a part of it is run. */
async function checkUnrun(
  command: string,
  { reason, instead, needs }: Exception,
  reader: Reader,
): Promise<Pick<Item, 'reason' | 'isExcepted'>> {
  const quoted = `'${command.replaceAll("'", String.raw`'\''`)}'`;
  const isHere = needs === undefined || !requireComponent(needs).skip;
  const part = instead === undefined || !isHere ? `bash -n -c ${quoted}` : instead(command);
  const { status, lines } = await reader.type(part);
  if (status === 0) return { reason, isExcepted: true };
  return { reason: `${part} exits with ${status}: ${lines.join('\n')}` };
}

/** A line that the page shows, at least in part. */
const isWhole = (line: string): boolean => !['', '…'].includes(line.trim());

/** A command may fail where the page shows how it fails. */
function showsFailure({ expected = [] }: Step): boolean {
  return expected.some((line) => /^(?:✗|error: )/.test(line));
}

/**
 * Follows what can be followed. Commands and outputs of the other guides count as not reproduced.
 *
 * @param open makes a reader, in a place of its own.
 */
export async function followAll(open: () => Reader): Promise<readonly Item[]> {
  const items: Item[] = [];
  for (const pages of [FOLLOWED, ...FOLLOWED_ALONE.map((page) => [page])]) {
    const reader = open();
    try {
      for (const page of pages) items.push(...(await followPage(page, reader)));
    } finally {
      await reader.end();
    }
  }
  const guides = readdirSync(join(ROOT, 'docs/guide')).map((name) => `docs/guide/${name}`);
  const followed: readonly string[] = [...FOLLOWED, ...FOLLOWED_ALONE];
  for (const page of guides.filter((each) => !followed.includes(each))) {
    items.push(...readPage(join(ROOT, page)).flatMap((step) => notFollowed(page, step)));
  }
  return items;
}

function notFollowed(page: string, step: Step): readonly Item[] {
  if (step.kind === 'file') return [];
  const commands = step.kind === 'program' ? [`${step.title} program`] : commandsOf(step);
  const outputs = step.expected === undefined ? [] : [`the output of ${commands.join('; ')}`];
  const reason = 'no run follows this page';
  return [...commands, ...outputs].map((what) => ({ page, line: step.line, what, reason }));
}

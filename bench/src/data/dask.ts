/** The peer Dask: a scheduler and two workers of one thread each, as processes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Check } from './duckdb.ts';
import type { Question } from './questions.ts';
import type { Tables } from './duckdb.ts';

const PEER = join(import.meta.dirname, '../../peers/dask/questions.py');

export interface Dask {
  /** @param number of the question, from 1. */
  readonly ask: (
    kind: 'group' | 'join',
    number: number,
    question: Question,
    tables: Tables,
  ) => Promise<Check & { readonly ms: number }>;
  readonly close: () => Promise<void>;
}

/** @param folder for its files of rows that are not in memory. @returns undefined where it is not installed. */
export async function startDask(folder: string): Promise<Dask | undefined> {
  const child = spawn('/usr/bin/python3', [PEER, folder], { stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = once(child, 'close');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  if ((await lines.next()).done === true) return undefined;
  return {
    async ask(kind, number, { sums }, tables) {
      child.stdin.write(`${JSON.stringify({ kind, number, sums, tables })}\n`);
      const { done, value } = await lines.next();
      if (done === true) throw new Error('Dask has ended.');
      return JSON.parse(value) as Check & { readonly ms: number };
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}

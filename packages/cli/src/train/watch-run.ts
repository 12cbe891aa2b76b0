/** The progress of a run: from the events of a node that holds it, or else from its folder. */
import type { RunSummary } from '@skein/api';
import { readRun, runPath } from '@skein/state/runs';
import type { Context } from '../command-line/command.ts';
import { dataFolder, type ConnectionChoice } from '../connection/connection.ts';
import { pause } from '../pause.ts';
import { formatMetric, metricTitle } from './progress.ts';
import { nodeClient } from './runs.ts';

/** Milliseconds between two reads of a folder. */
const LOOK_EVERY_MS = 1000;

/** Prints each epoch and step until the run ends or the command is interrupted. */
export async function watchRun(
  context: Context,
  choice: ConnectionChoice,
  id: string,
): Promise<void> {
  const { notes } = context;
  const leave = new AbortController();
  const signal = AbortSignal.any([context.signal, leave.signal]);
  let reported = 0;
  try {
    for await (const { status, steps, newest, last } of changes(context, choice, id, signal)) {
      if (last !== undefined && last.epoch > reported) {
        reported = last.epoch;
        const metrics = Object.entries(last.metrics).map(
          ([name, value]) => `${metricTitle(name)} ${formatMetric(value)}`,
        );
        notes.line(
          [`epoch ${last.epoch}`, `loss ${formatMetric(last.loss)}`, ...metrics].join(', '),
        );
      }
      if (status !== 'running') return;
      if (newest !== undefined) {
        notes.progress(
          `step ${newest.step} of ${steps.planned}, loss ${formatMetric(newest.loss)}`,
        );
      }
    }
  } finally {
    leave.abort();
    notes.clear();
  }
}

async function* changes(
  context: Context,
  choice: ConnectionChoice,
  id: string,
  signal: AbortSignal,
): AsyncGenerator<Pick<RunSummary, 'status' | 'steps' | 'newest' | 'last'>> {
  const folder = dataFolder(context, choice.data);
  const client = await nodeClient(context, choice);
  if (client !== undefined) {
    const events = client.events({ signal });
    const next = events.next();
    // Listens before reading, so that the end of the run cannot be missed.
    const { epochs, ...known } = await client.getRun({ id }, { signal });
    const last = epochs.at(-1);
    yield { ...known, ...(last === undefined ? {} : { last }) };
    for (let each = await next; each.done !== true; each = await events.next()) {
      if (each.value.type === 'run' && each.value.data.id === id) yield each.value.data;
    }
    return;
  }
  let seen = '';
  while (!signal.aborted) {
    const run = await readRun(runPath(folder, id));
    if (run === undefined) return;
    if (run.updatedAt !== seen || run.status !== 'running') {
      const last = run.epochs.at(-1);
      yield { ...run, ...(last === undefined ? {} : { last }) };
    }
    seen = run.updatedAt;
    await pause(LOOK_EVERY_MS, signal);
  }
}

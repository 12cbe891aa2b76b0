/**
 * Keeps a run's record: always in its folder, and on a node when one is reachable. Training depends
 * only on the folder. An unreachable node misses nothing, because every report is the whole record.
 */
import type { Run } from '@skein/api';
import type { RunFolder } from '@skein/state/runs';
import type { Context } from '../command.ts';
import {
  connect,
  dataFolder,
  explicitUrl,
  runningNodeUrl,
  type ConnectionChoice,
} from '../connection.ts';

export interface Journal {
  run(): Run;
  /** Records a change. @throws SkeinError STORAGE_FULL. */
  update(change: Partial<Run>): Promise<void>;
  /** Records a step, at most about once a second; training does not wait for it. */
  step(newest: NonNullable<Run['newest']>): void;
}

/** Epochs in a record: the schema has up to 2000. */
const MOST_EPOCHS = 1000;
/** Milliseconds between two records of steps. */
const STEPS_EVERY_MS = 1000;
/** Milliseconds that training waits for the node at most. */
const PATIENCE_MS = 2000;

export function openJournal(
  context: Context,
  choice: ConnectionChoice,
  folder: RunFolder,
  first: Run,
): Journal {
  let run = first;
  let complained = false;
  /** One record is written at a time. */
  let writing: Promise<void> | undefined;
  let recordedAt = performance.now();

  async function write(): Promise<void> {
    recordedAt = performance.now();
    const written = run;
    await folder.record(thinned(written));
    try {
      await reportRun(context, choice, written);
    } catch (error) {
      if (complained) return;
      complained = true;
      const reason = error instanceof Error ? error.message : String(error);
      context.notes.line(`The run was not reported to the node: ${reason}`);
    }
  }

  return {
    run: () => run,
    async update(change) {
      // A run that has ended does not keep its last reported step.
      const { newest, ...rest } = { ...run, ...change };
      const kept = rest.status === 'running' && newest !== undefined ? { newest } : {};
      run = { ...rest, ...kept, updatedAt: new Date().toISOString() };
      await writing;
      await write();
    },
    step(newest) {
      const steps = { ...run.steps, done: newest.step };
      run = { ...run, newest, steps, updatedAt: new Date().toISOString() };
      if (writing !== undefined || performance.now() - recordedAt < STEPS_EVERY_MS) return;
      // When the disk is full, the next epoch reports it.
      writing = write()
        .catch(() => undefined)
        .finally(() => (writing = undefined));
    },
  };
}

/** Reports the run to a node, if one was named or runs on the data folder. */
export async function reportRun(
  context: Context,
  choice: ConnectionChoice,
  run: Run,
): Promise<void> {
  const named = explicitUrl(context, choice);
  const url = named ?? (await runningNodeUrl(dataFolder(context, choice.data)));
  if (url === undefined) return;
  const { client } = await connect(context, { ...choice, server: url });
  await client.putRun({ id: run.id, run: thinned(run) }, { timeoutMs: PATIENCE_MS });
}

/** Every n-th epoch of a long run, and its last. */
export function thinned(run: Run): Run {
  const every = Math.ceil(run.epochs.length / MOST_EPOCHS);
  if (every <= 1) return run;
  const last = run.epochs.length - 1;
  return { ...run, epochs: run.epochs.filter((_, i) => i % every === 0 || i === last) };
}

/**
 * Keeps a run's record in its folder, and notifies the program of each. Training depends only on the
 * folder. A listener that was away misses nothing, because every record is the whole run.
 */
import type { Run } from '@skein/api';
import type { RunFolder } from '@skein/state/runs';

export interface Journal {
  run(): Run;
  /** Records a change. @throws SkeinError STORAGE_FULL. */
  update(change: Partial<Run>): Promise<void>;
  /** Records a step, at most about once a second, and seldom where the run is retried; training does not wait for it. */
  step(newest: NonNullable<Run['newest']>): void;
}

/** Epochs in a record: the schema has up to 2000. */
const MOST_EPOCHS = 1000;
/** Milliseconds between two records of steps. */
const STEPS_EVERY_MS = 1000;
/**
 * The same where the run is retried: its folder is a checkpoint, which a worker copies while training continues, and a
 * copy of large files counts only if none of them has changed meanwhile.
 */
const STEPS_WHILE_COPIED_EVERY_MS = 60_000;

export interface JournalOptions {
  readonly retried?: boolean | undefined;
  readonly onRecord?: ((run: Run) => Promise<void>) | undefined;
}

export function openJournal(
  folder: Pick<RunFolder, 'record'>,
  first: Run,
  { retried, onRecord }: JournalOptions,
): Journal {
  const everyMs = retried === true ? STEPS_WHILE_COPIED_EVERY_MS : STEPS_EVERY_MS;
  let run = first;
  /** One record is written at a time. */
  let writing: Promise<void> | undefined;
  let recordedAt = performance.now();

  async function write(): Promise<void> {
    recordedAt = performance.now();
    const written = thinned(run);
    await folder.record(written);
    await onRecord?.(written);
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
      if (writing !== undefined || performance.now() - recordedAt < everyMs) return;
      // When the disk is full, the next epoch reports it.
      writing = write()
        .catch(() => undefined)
        .finally(() => (writing = undefined));
    },
  };
}

/** Every n-th epoch of a long run, and its last. */
export function thinned(run: Run): Run {
  const every = Math.ceil(run.epochs.length / MOST_EPOCHS);
  if (every <= 1) return run;
  const last = run.epochs.length - 1;
  return { ...run, epochs: run.epochs.filter((_, i) => i % every === 0 || i === last) };
}

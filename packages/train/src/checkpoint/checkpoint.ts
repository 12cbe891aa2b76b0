/**
 * State of a run between two steps. A run that is resumed from it continues as if it had never
 * stopped.
 */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import type { Tensors } from '../run/backend.ts';
import { TrainError } from '../train-error.ts';
import { readTensors, writeTensors } from './safetensors.ts';

export interface CheckpointStore {
  /** Replaces the saved checkpoint atomically. */
  save(bytes: Uint8Array): Promise<void>;
  /** The saved checkpoint; `undefined` when there is none. */
  load(): Promise<Uint8Array | undefined>;
}

/** A value that JSON can represent. */
export interface Checkpoint<Progress> {
  /** The plan of the run: a run with another plan cannot be resumed from here. */
  readonly plan: Readonly<Record<string, string | number>>;
  readonly progress: Progress;
  readonly tensors: Tensors;
}

export async function saveCheckpoint<Progress>(
  store: CheckpointStore,
  { plan, progress, tensors }: Checkpoint<Progress>,
): Promise<void> {
  const metadata = { plan: JSON.stringify(plan), progress: JSON.stringify(progress) };
  await store.save(await writeTensors({ tensors, metadata }));
}

/** @throws TrainError `checkpoint` when it is damaged, or of another plan, naming the difference. */
export async function loadCheckpoint<Progress>(
  store: CheckpointStore,
  plan: Checkpoint<Progress>['plan'],
): Promise<Checkpoint<Progress> | undefined> {
  const bytes = await store.load();
  if (bytes === undefined) return undefined;
  const { tensors, metadata } = await readTensors(bytes);
  const saved = parsed(metadata['plan'] ?? '{}') as Checkpoint<Progress>['plan'];
  for (const key of new Set([...Object.keys(plan), ...Object.keys(saved)])) {
    if (plan[key] !== saved[key]) {
      throw new TrainError(
        'checkpoint',
        `The checkpoint belongs to another run: its ${key} is ${saved[key]}, not ${plan[key]}.`,
      );
    }
  }
  return { plan, progress: parsed(metadata['progress'] ?? 'null') as Progress, tensors };
}

function parsed(text: string): unknown {
  try {
    return readJson(text, JSON_BOUNDS.stored);
  } catch (error) {
    throw new TrainError('checkpoint', 'The checkpoint is damaged.', { cause: error });
  }
}

/**
 * Copies of the leader's run with every member of a gang of jobs. A job that fails gets its files
 * back at its next attempt; a job that is stopped because another member failed does not. So the
 * member that fails first must have the run, and at the start the rank with the most steps gives
 * its copy to the leader.
 *
 * The copies use another ring than the one that trains, so that a rank receives a copy at
 * any time.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { makeFolders } from '@skein/api/folders';
import type { NumericTensor } from '@skein/onnx';
import { readRuns, runPath } from '@skein/state/runs';
import { fileStore } from '../../checkpoint/file-store.ts';
import { readTensors, writeTensors } from '../../checkpoint/safetensors.ts';
import { gatherBytes, RankLost, type Collective } from '../../parallel/collective.ts';
import { joinRing } from '../../parallel/ring/rendezvous.ts';
import type { Gang } from './gang.ts';

export interface Keeper {
  /** Gives every rank a copy of the run in this folder; for the leader. */
  give(run: { readonly id: string; readonly path: string }): Promise<void>;
  /** Receives copies until the leader ends. */
  take(): Promise<void>;
  close(): Promise<void>;
}

/** Longer than any time between two checkpoints. */
const FOREVER_MS = 2 ** 31 - 1;
const NOTHING = new Uint8Array(0);

/**
 * Joins the other ranks, and gives the run with the most steps to the leader.
 * @throws RankLost naming the rank that has not arrived.
 */
export async function openKeeper(gang: Gang, dataFolder: string): Promise<Keeper> {
  const collective = await joinRing({ ...gang, plan: 'copies of a run', timeoutMs: FOREVER_MS });
  await bringFurthest(collective, dataFolder);
  return {
    async give({ id, path }) {
      const run = await packRun(path, id);
      await gatherBytes(collective, run?.bytes ?? NOTHING);
    },
    async take() {
      try {
        for (;;) {
          const [leaders = NOTHING] = await gatherBytes(collective, NOTHING);
          if (leaders.byteLength > 0) await unpackRun(dataFolder, leaders);
        }
      } catch (error) {
        // The leader has ended, or the ring that trains notices the loss too.
        if (!(error instanceof RankLost)) throw error;
        await collective.close(error);
      }
    },
    close: () => collective.close(),
  };
}

async function bringFurthest(collective: Collective, dataFolder: string): Promise<void> {
  const own = await keptRun(dataFolder);
  const steps = collective.own('float64', 1);
  steps[0] = own?.steps ?? -1;
  const all = (await collective.gather(steps, 1)).map(([each = -1]) => each);
  // The first of the ranks with the most steps: the leader keeps its own run when it is one of them.
  const furthest = all.indexOf(Math.max(...all));
  if (furthest === 0) return;
  const { rank } = collective;
  const given = await gatherBytes(collective, rank === furthest ? own!.bytes : NOTHING);
  if (rank === 0) await unpackRun(dataFolder, given[furthest]!);
}

/** In the order in which they are written: the record comes last, and marks the run as complete. */
const FILES = ['start.onnx', 'plan.json', 'checkpoint.safetensors', 'run.json'] as const;

/** The files of a run as one byte array, so that the run can be copied and resumed elsewhere. */
interface KeptRun {
  readonly id: string;
  /** Number of steps in its checkpoint. */
  readonly steps: number;
  readonly bytes: Uint8Array;
}

/** The newest run of a folder with a readable checkpoint. */
export async function keptRun(dataFolder: string): Promise<KeptRun | undefined> {
  const [newest] = await readRuns(dataFolder);
  return newest === undefined ? undefined : packRun(runPath(dataFolder, newest.id), newest.id);
}

/** @returns `undefined` when the run has no readable checkpoint. */
async function packRun(path: string, id: string): Promise<KeptRun | undefined> {
  const tensors = new Map<string, NumericTensor>();
  let steps: number | undefined;
  for (const name of FILES) {
    const bytes = await readFile(join(path, name)).catch(() => undefined);
    if (bytes === undefined) return undefined;
    if (name === 'checkpoint.safetensors') steps = await stepsOf(bytes);
    tensors.set(name, { type: 'uint8', shape: [bytes.byteLength], bytes: new Uint8Array(bytes) });
  }
  if (steps === undefined) return undefined;
  return { id, steps, bytes: await writeTensors({ tensors, metadata: { run: id } }) };
}

/**
 * Writes the files to a run of this folder.
 * @throws TrainError `checkpoint` when they are damaged.
 */
async function unpackRun(dataFolder: string, bytes: Uint8Array): Promise<void> {
  const { tensors, metadata } = await readTensors(bytes);
  const id = metadata['run'] ?? '';
  const path = runPath(dataFolder, id);
  await makeFolders(path, 0o700);
  for (const name of FILES) {
    await fileStore(join(path, name)).save(tensors.get(name)!.bytes);
  }
}

async function stepsOf(checkpoint: Uint8Array): Promise<number | undefined> {
  try {
    const { metadata } = await readTensors(checkpoint);
    const { step } = readJson(metadata['progress'] ?? '', JSON_BOUNDS.stored) as {
      readonly step?: unknown;
    };
    return typeof step === 'number' ? step : undefined;
  } catch {
    return undefined;
  }
}

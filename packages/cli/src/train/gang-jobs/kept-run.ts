/** The files of a run as one byte array, so that the run can be copied and resumed elsewhere. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NumericTensor } from '@skein/onnx';
import { readRuns, runPath } from '@skein/state/runs';
import { readTensors, writeTensors } from '@skein/train';
import { fileStore } from '@skein/train/files';

/** In the order in which they are written: the record comes last, and marks the run as complete. */
const FILES = ['start.onnx', 'plan.json', 'checkpoint.safetensors', 'run.json'] as const;

export interface KeptRun {
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
export async function packRun(path: string, id: string): Promise<KeptRun | undefined> {
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
export async function unpackRun(dataFolder: string, bytes: Uint8Array): Promise<string> {
  const { tensors, metadata } = await readTensors(bytes);
  const id = metadata['run'] ?? '';
  const path = runPath(dataFolder, id);
  await mkdir(path, { recursive: true, mode: 0o700 });
  for (const name of FILES) {
    await fileStore(join(path, name)).save(tensors.get(name)!.bytes);
  }
  return id;
}

async function stepsOf(checkpoint: Uint8Array): Promise<number | undefined> {
  try {
    const { metadata } = await readTensors(checkpoint);
    const { step } = JSON.parse(metadata['progress'] ?? '') as { readonly step?: unknown };
    return typeof step === 'number' ? step : undefined;
  } catch {
    return undefined;
  }
}

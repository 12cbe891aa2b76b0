/** The peer `onnxruntime.quantization` of Debian: the same model and calibration rows in each of its usual settings. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  readModel,
  values,
  writeModel,
  type Model,
  type NumericTensor,
  type TensorMap,
} from '@skein/onnx';
import { npy } from '../../../packages/train/src/testing/npy.ts';
import { temporaryFolder } from '../harness/folder.ts';

const PEER = join(import.meta.dirname, '../../peers/ort-quantization/quantise.py');
/** Bytes; importing the peer prints a line for each operator. */
const MOST_PRINTED = 2 ** 24;

export interface PeerModel {
  readonly setting: string;
  readonly model: Model;
  readonly bytes: number;
}

/** @param calibration batches of one float32 input, all of one shape. */
export async function peerModels(
  model: Model,
  input: string,
  calibration: readonly TensorMap[],
): Promise<readonly PeerModel[]> {
  const folder = await temporaryFolder();
  try {
    const path = join(folder.path, 'model.onnx');
    await writeFile(path, writeModel(model));
    const batches = calibration.map((feeds) => feeds.get(input) as NumericTensor);
    const shape = [batches.length, ...batches[0]!.shape];
    const numbers = batches.flatMap((batch) => Array.from(values(batch), Number));
    await writeFile(join(folder.path, `${input}.npy`), npy(shape, numbers));
    const arguments_ = [PEER, path, input, folder.path];
    const { stdout } = await promisify(execFile)('/usr/bin/python3', arguments_, {
      maxBuffer: MOST_PRINTED,
    });
    const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
    return await Promise.all(
      lines.map(async (line) => {
        const made = JSON.parse(line) as { readonly setting: string; readonly path: string };
        const bytes = await readFile(made.path);
        return { setting: made.setting, model: readModel(bytes), bytes: bytes.length };
      }),
    );
  } finally {
    await folder.remove();
  }
}

/** The peer `onnxruntime.quantization` of Debian: the same model and calibration rows in each of its usual settings. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readModel, writeModel, type Model, type NumericTensor, type TensorMap } from '@skein/onnx';
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
    await writeFile(join(folder.path, `${input}.npy`), npyOf(batches));
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

/** NumPy's format 1.0: float32 [batches, rows, …]. */
function npyOf(batches: readonly NumericTensor[]): Uint8Array {
  const shape = [batches.length, ...batches[0]!.shape].join(', ');
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape}), }`;
  const padded = `${header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11)}\n`;
  const start = Buffer.alloc(10);
  start.write('\u0093NUMPY\u0001\u0000', 'latin1');
  start.writeUInt16LE(padded.length, 8);
  return Buffer.concat([start, Buffer.from(padded), ...batches.map(({ bytes }) => bytes)]);
}

/** Measures how many held-out images a deployment reads correctly. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@skein/api/client';
import { values } from '@skein/onnx';
import { readIdx } from '@skein/train';

const DATA = join(import.meta.dirname, 'data');
const DIGITS = 10;
/** A digit takes a few hundred bytes, so many fit into one request. */
const ROWS = 100;
/** No user waits for these answers, so they may take longer than the deployment's objective. */
const PATIENCE_MS = 20_000;

export interface Accuracy {
  /** Right, of the pictures of each digit. */
  readonly right: readonly number[];
  readonly of: readonly number[];
}

export async function accuracyOf(client: Client, name: string): Promise<Accuracy> {
  const images = await readIdx(await readFile(join(DATA, 'held-images-idx3-ubyte.gz')));
  const labels = await readIdx(await readFile(join(DATA, 'held-labels-idx1-ubyte.gz')));
  const digits = Array.from(values(labels) as Uint8Array);
  const { signature } = await client.getDeployment({ name });
  const input = signature.inputs[0]!;
  const right = Array.from({ length: DIGITS }, () => 0);
  const of = Array.from({ length: DIGITS }, () => 0);
  for (let from = 0; from < digits.length; from += ROWS) {
    const rows = digits.slice(from, from + ROWS);
    const pixels = images.bytes.subarray(from * 64, (from + rows.length) * 64);
    // The model from PyTorch takes numbers from 0 to 1; the model that Skein trained takes bytes.
    const tensor =
      input.type === 'uint8'
        ? { shape: [rows.length, 8, 8], type: 'uint8' as const, data: pixels }
        : {
            shape: [rows.length, 1, 8, 8],
            type: 'float32' as const,
            data: Float32Array.from(pixels, (byte) => byte / 255),
          };
    const { outputs } = await client.infer(
      name,
      { [input.name]: tensor },
      { timeoutMs: PATIENCE_MS },
    );
    const logits = outputs['logits']!.data as Float32Array;
    rows.forEach((digit, row) => {
      const scores = logits.subarray(row * DIGITS, (row + 1) * DIGITS);
      of[digit]!++;
      if (scores.indexOf(Math.max(...scores)) === digit) right[digit]!++;
    });
  }
  return { right, of };
}

export function shareOf({ right, of }: Accuracy): number {
  const sum = (numbers: readonly number[]) => numbers.reduce((all, each) => all + each, 0);
  return sum(right) / sum(of);
}

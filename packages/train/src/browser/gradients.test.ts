/**
 * The gradients that PyTorch computed, in WebAssembly: what the native library is held to, by every
 * operator and every model that packages/onnx has a fixture of.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  gradient,
  gradientName,
  readModel,
  signatureOf,
  tensorOf,
  values,
  type NumericTensor,
} from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import { wasmBackend } from '../run/wasm-backend.ts';

const FOLDER = join(import.meta.dirname, '../../../onnx/fixtures/gradients');
const RELATIVE = 1e-4;

type Named = ReadonlyMap<string, NumericTensor>;

/** The tensors of a fixture under a prefix: `input:` or `gradient:`. */
function under(prefix: string, all: Named): Named {
  return new Map(
    [...all].flatMap(([name, each]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), each] as const] : [],
    ),
  );
}

function fixture(path: string): Named {
  const { initializer } = readModel(readFileSync(path)).graph!;
  return new Map(initializer.map((each) => [each.name, tensorOf(each) as NumericTensor]));
}

/** The largest difference, relative to the largest expected number. */
function difference(found: NumericTensor, wanted: NumericTensor): number {
  expect(found.shape.map(Number)).toEqual(wanted.shape);
  const [ours, theirs] = [found, wanted].map((each) => Array.from(values(each), Number));
  const scale = Math.max(1e-3, ...theirs!.map(Math.abs));
  return Math.max(...theirs!.map((each, i) => Math.abs(ours![i]! - each))) / scale;
}

describe.each(['operators', 'models'])('%s', (kind) => {
  const cases = readdirSync(join(FOLDER, kind))
    .filter((file) => file.endsWith('.expected.onnx'))
    .map((file) => file.replace('.expected.onnx', ''));

  it.each(cases)('%s', async (name) => {
    const model = readModel(readFileSync(join(FOLDER, kind, `${name}.onnx`)));
    const expected = fixture(join(FOLDER, kind, `${name}.expected.onnx`));
    const gradients = under('gradient:', expected);
    // The exporter drops inputs that nothing reads.
    const taken = new Set(signatureOf(model).inputs.map((input) => input.name));
    const feeds = [...under('input:', expected)].filter(([each]) => taken.has(each));
    const differentiated = gradient(model, {
      loss: 'loss',
      parameters: [...gradients.keys()].filter((each) => !taken.has(each)),
      inputs: [...gradients.keys()].filter((each) => taken.has(each)),
    });
    const graph = await wasmBackend.open(differentiated);
    const results = await graph.run(new Map(feeds));
    await graph.close();
    expect(difference(results.get('loss')!, expected.get('loss')!)).toBeLessThan(RELATIVE);
    for (const [each, wanted] of gradients) {
      expect(difference(results.get(gradientName(each))!, wanted), each).toBeLessThan(RELATIVE);
    }
    expect(gradients.size).toBeGreaterThan(0);
  });
});

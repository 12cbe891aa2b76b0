/**
 * PyTorch as the oracle: models that it exported and single nodes, and the loss and gradients that it
 * computed for them (scripts/make-gradient-fixtures.py). Every parameter and every input to 1e-4, relative to the
 * largest gradient of its tensor.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readModel, type Model } from '../../model/model.ts';
import { tensorOf } from '../../model/protos.ts';
import { signatureOf } from '../../model/signature.ts';
import { values, type NumericTensor } from '../../tensor/tensor.ts';
import { ortSession, OrtTensor } from '../../testing/ort.ts';
import { gradient, gradientName } from '../gradient.ts';

const FOLDER = join(import.meta.dirname, '../../../fixtures/gradients');
const RELATIVE = 1e-4;

/** The folders of cases: `modules-…` are the modules of small_modules.py by each way of exporting them. */
export const KINDS: readonly string[] = readdirSync(FOLDER);

export function casesOf(kind: string): readonly string[] {
  return readdirSync(join(FOLDER, kind))
    .filter((file) => file.endsWith('.expected.onnx'))
    .map((file) => file.replace('.expected.onnx', ''));
}

export function modelOf(kind: string, name: string): Model {
  return readModel(readFileSync(join(FOLDER, kind, `${name}.onnx`)));
}

/** The places where the loss and the gradients of a case differ from PyTorch's. */
export async function flawsOf(kind: string, name: string): Promise<readonly string[]> {
  const model = modelOf(kind, name);
  const expected = expectedOf(join(FOLDER, kind, `${name}.expected.onnx`));
  const given = new Set(signatureOf(model).inputs.map((input) => input.name));
  const gradients = starting(expected, 'gradient:');
  const [inputs, parameters] = [true, false].map((isInput) =>
    gradients.flatMap(([each]) => (given.has(each) === isInput ? [each] : [])),
  );
  const differentiated = gradient(model, {
    loss: 'loss',
    parameters: parameters!,
    inputs: inputs!,
  });
  // The exporter drops inputs that nothing reads.
  const feeds = starting(expected, 'input:').filter(([each]) => given.has(each));
  const results = await run(differentiated, feeds);
  return [
    ...(gradients.length === 0 ? ['PyTorch computed no gradient'] : []),
    ...differences(results['loss']!, expected.get('loss')!, 'loss'),
    ...gradients.flatMap(([each, value]) => differences(results[gradientName(each)]!, value, each)),
  ];
}

/** The results of PyTorch, by `input:…`, `gradient:…` and `loss`. */
function expectedOf(path: string): ReadonlyMap<string, NumericTensor> {
  const { initializer } = readModel(readFileSync(path)).graph!;
  return new Map(initializer.map((each) => [each.name, tensorOf(each) as NumericTensor] as const));
}

function starting(
  all: ReadonlyMap<string, NumericTensor>,
  prefix: string,
): [string, NumericTensor][] {
  return [...all].flatMap(([name, value]) =>
    name.startsWith(prefix) ? [[name.slice(prefix.length), value] as [string, NumericTensor]] : [],
  );
}

async function run(
  model: Model,
  inputs: readonly [string, NumericTensor][],
): Promise<Readonly<Record<string, OrtTensor>>> {
  const session = await ortSession(model);
  const feeds = inputs.map(([name, { type, shape, ...rest }]) => {
    const data = values({ type, shape, ...rest });
    return [name, new OrtTensor(type as 'float32', data as Float32Array, [...shape])];
  });
  const results = await session.run(Object.fromEntries(feeds) as Record<string, OrtTensor>);
  await session.release();
  return results;
}

/** The places where a result differs from PyTorch's. */
function differences(found: OrtTensor, expected: NumericTensor, title: string): string[] {
  const wanted = Array.from(values(expected), Number);
  const scale = Math.max(1e-3, ...wanted.map(Math.abs));
  if (found.dims.join() !== expected.shape.join()) {
    return [`${title}: shape [${found.dims.join()}], not [${expected.shape.join()}]`];
  }
  return Array.from(found.data as Float32Array).flatMap((value, i) =>
    Math.abs(value - wanted[i]!) / scale < RELATIVE
      ? []
      : [`${title}[${i}]: ${value}, not ${wanted[i]}`],
  );
}

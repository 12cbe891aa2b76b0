/**
 * Runs some training steps of an artifact and returns the resulting tensors. The same file runs in
 * Node and, with its types removed, in a page. Arguments and result pass through JSON.
 */
import {
  elementCount,
  readModel,
  seededRandom,
  tensor,
  values,
  type NumericTensor,
  type Random,
  type TensorSpec,
} from '@skein/onnx';
import type { Backend, Tensors } from '../../run/backend.ts';
import { openStep } from '../../step/step-session.ts';
import type { TrainingStep } from '../../step/training-step.ts';

/** A training step without its graph, which is the artifact, and without the first weights. */
export interface Plan extends Omit<TrainingStep, 'model' | 'initial' | 'accumulating'> {
  /** The first weights, by name. */
  readonly weights: Readonly<Record<string, readonly number[]>>;
  readonly classes: number;
  readonly steps: number;
  readonly rate: number;
}

export interface Taken {
  readonly losses: readonly number[];
  /** Parameters and running statistics after the last step, by name. */
  readonly tensors: Readonly<Record<string, readonly number[]>>;
}

export async function takeSteps(
  backend: Backend,
  artifact: Uint8Array,
  { weights, classes, steps, rate, ...plan }: Plan,
): Promise<Taken> {
  const kept = [...plan.parameters, ...plan.statistics];
  const initial = new Map(
    kept.map(({ name, shape }) => [
      name,
      tensor('float32', shape, Float32Array.from(weights[name]!)),
    ]),
  );
  const session = await openStep({ ...plan, model: readModel(artifact), initial }, backend);
  const random = seededRandom(11);
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    losses.push(await session.step(batchOf(plan.inputs, classes, random), rate));
  }
  const after = session.tensors();
  const numbers = kept.map(({ name }) => [name, Array.from(values(after.get(name)!), Number)]);
  await session.close();
  return { losses, tensors: Object.fromEntries(numbers) as Taken['tensors'] };
}

/**
 * Numbers in [−1, 1) and classes by chance, the same on every machine; `targets` are the probabilities of
 * classes, all of it on one.
 */
function batchOf(inputs: readonly TensorSpec[], classes: number, random: Random): Tensors {
  const anyClass = () => Math.floor(random.next() * classes);
  return new Map<string, NumericTensor>(
    inputs.map(({ name, type, shape }) => {
      const sizes = shape as number[];
      const count = elementCount(sizes);
      if (type === 'int64') {
        const labels = BigInt64Array.from({ length: count }, () => BigInt(anyClass()));
        return [name, tensor('int64', sizes, labels)];
      }
      const numbers = new Float32Array(count);
      if (name === 'targets') {
        for (let row = 0; row < count; row += classes) numbers[row + anyClass()] = 1;
      } else {
        for (let i = 0; i < count; i++) numbers[i] = 2 * random.next() - 1;
      }
      return [name, tensor('float32', sizes, numbers)];
    }),
  );
}

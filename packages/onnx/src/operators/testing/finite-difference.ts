/**
 * Finite differences as the oracle of a gradient rule: a model of one node, its gradient as the
 * engine writes it, and the central difference of what ONNX Runtime computes for the node itself.
 *
 * Five-point stencil, error O(h⁴); in float64 where ONNX Runtime has the operator in it. The
 * gradient that flows in is different for every element. Every case is checked with static shapes
 * and with shapes that have only a known rank.
 */
import fc from 'fast-check';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import type { Attribute } from '../../model/attribute.ts';
import { GraphBuilder } from '../../model/builder.ts';
import { inferShapes } from '../../infer/inference.ts';
import { writeModel, type Model } from '../../model/model.ts';
import { seededRandom } from '../../tensor/random.ts';
import { elementCount, tensor, values, type NumericTensor } from '../../tensor/tensor.ts';
import { gradient, gradientName } from '../../gradient/gradient.ts';

export interface OperatorInput {
  readonly shape: readonly number[];
  /** Row-major numbers. */
  readonly values: readonly number[];
  /** `variable` is differentiated, `given` is fed as it is, `constant` is an initialiser. Default `variable`. */
  readonly role?: 'variable' | 'given' | 'constant';
  /** For fed and constant inputs of another type; variables are floats. */
  readonly type?: 'int64' | 'int32' | 'bool' | 'float';
}

export interface OperatorCase {
  readonly operator: string;
  /** `undefined` is an omitted optional input. */
  readonly inputs: readonly (OperatorInput | undefined)[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** How many outputs the node has; default 1. */
  readonly outputs?: number;
  /** Outputs whose gradient flows in; default all. */
  readonly seeded?: readonly number[];
  /** Default 17. */
  readonly opset?: number;
  /** Default: float64 where ONNX Runtime has the operator and its gradient in it. */
  readonly precision?: Precision;
  /** Distance of the finite differences; default 1e-4 in float64 and 1e-2 in float32. Linear operators take a large one. */
  readonly step?: number;
  /** Inputs that are checked with only their rank known, where a rule needs the sizes of others; default all of them. */
  readonly symbolic?: boolean | readonly number[];
}

type Precision = 'float32' | 'float64';

/** Operators that ONNX Runtime does not run in double, or whose gradient it does not. */
const onlySingle = new Set<string>();

/** Fails when the gradient of the node differs from its finite differences. */
export async function expectGradient(of: OperatorCase): Promise<void> {
  const modes = of.symbolic === false ? [false] : [false, true];
  for (const symbolic of modes) {
    const single = of.precision === 'float32' || onlySingle.has(of.operator);
    if (single || !(await checkInDouble(of, symbolic))) await check(of, 'float32', symbolic);
  }
}

/** Whether ONNX Runtime could run the case in double, which then was right. */
async function checkInDouble(of: OperatorCase, symbolic: boolean): Promise<boolean> {
  try {
    await check(of, 'float64', symbolic);
    return true;
  } catch (error) {
    const message = String(error);
    if (
      !/NOT_IMPLEMENTED|not find an implementation|Failed to find kernel|tensor\(double\)/.test(
        message,
      )
    ) {
      throw error;
    }
    onlySingle.add(of.operator);
    return false;
  }
}

async function check(of: OperatorCase, precision: Precision, symbolic: boolean): Promise<void> {
  const model = modelOf(of, precision, symbolic);
  const forward = await open(model);
  const feeds = feedsOf(of, precision);
  const outputs = await forward.run(feeds);
  expectInferred(model, outputs);
  const seeded = of.seeded ?? Array.from({ length: of.outputs ?? 1 }, (_, i) => i);
  const seeds = seeded.map((index) => {
    const { dims } = outputs[`y${index}`]!;
    const random = seededRandom(index + 7);
    const numbers = Array.from({ length: elementCount(dims) }, () => random.next() * 2 - 1);
    return { index, shape: dims, numbers };
  });
  const wanted = of.inputs.flatMap((input, i) => (isVariable(input) ? [`x${i}`] : []));
  const differentiated = gradient(modelOf(of, precision, symbolic, seeds), {
    loss: `y${seeded[0]}`,
    parameters: [],
    inputs: wanted,
    seeds: Object.fromEntries(seeded.map((index) => [`y${index}`, `seed${index}`])),
  });
  const backward = await open(differentiated);
  const seedFeeds = seeds.map(({ index, shape, numbers }) => [
    `seed${index}`,
    ortTensor(precision, shape, numbers),
  ]);
  const fetched = await backward.run({ ...feeds, ...Object.fromEntries(seedFeeds) });
  const loss = async (changed: Record<string, OrtTensor>) => {
    const results = await forward.run({ ...feeds, ...changed });
    let total = 0;
    for (const { index, numbers } of seeds) {
      const data = results[`y${index}`]!.data as Float64Array;
      numbers.forEach((weight, i) => (total += weight * data[i]!));
    }
    return total;
  };
  for (const name of wanted) {
    const input = of.inputs[Number(name.slice(1))]!;
    const result = fetched[gradientName(name)]!;
    const context = `${of.operator} ${JSON.stringify(of)} ${precision} ${symbolic ? 'symbolic' : 'static'} ${name}`;
    if (result.dims.join() !== input.shape.join()) {
      throw new Error(`${context}: shape [${result.dims.join(', ')}].`);
    }
    const found = Array.from(result.data as Float64Array);
    for (const [at, value] of input.values.entries()) {
      const step = of.step ?? (precision === 'float64' ? 1e-4 : 1e-2);
      const moved = async (by: number) => {
        const numbers = input.values.with(at, value + by * step);
        return loss({ [name]: ortTensor(precision, input.shape, numbers) });
      };
      const [a, b, c, d] = [await moved(-2), await moved(-1), await moved(1), await moved(2)];
      const expected = (a - 8 * b + 8 * c - d) / (12 * step);
      const tolerance = (precision === 'float64' ? 1e-7 : 3e-4) * Math.max(1, Math.abs(expected));
      // Not-a-number is no agreement.
      if (!(Math.abs(found[at]! - expected) < tolerance)) {
        throw new Error(`${context}[${at}]: ${found[at]}, not ${expected}.`);
      }
    }
  }
  await forward.release();
  await backward.release();
}

/** Fails when inference found a size that turned out otherwise. */
function expectInferred(
  model: Model,
  outputs: Readonly<Record<string, Pick<OrtTensor, 'dims'>>>,
): void {
  const inferred = inferShapes(model);
  for (const [name, { dims }] of Object.entries(outputs)) {
    const shape = inferred.get(name)?.shape ?? dims;
    const known = shape.map((size, axis) => (typeof size === 'number' ? size : dims[axis]));
    if (known.join() !== dims.join()) {
      throw new Error(`${name} was to be [${known.join(', ')}], but is [${dims.join(', ')}].`);
    }
  }
}

function isVariable(input: OperatorInput | undefined): boolean {
  return input !== undefined && (input.role ?? 'variable') === 'variable';
}

/** A model of the one node: inputs x0, x1 …, outputs y0, y1 …. */
export function modelOf(
  of: OperatorCase,
  precision: Precision,
  symbolic: boolean,
  seeds: readonly { readonly index: number; readonly shape: readonly number[] }[] = [],
): Model {
  const graph = new GraphBuilder('case');
  const declared = (shape: readonly number[], index?: number) => {
    const open = typeof of.symbolic === 'object' && index !== undefined;
    const unknown = symbolic && (!open || of.symbolic.includes(index));
    return unknown ? shape.map(() => null) : shape;
  };
  const inputs = of.inputs.map((input, i) => {
    if (input === undefined) return '';
    const type = input.type === undefined || input.type === 'float' ? precision : input.type;
    if (input.role === 'constant') return graph.initializer(`x${i}`, packed(type, input));
    return graph.input(`x${i}`, type, declared(input.shape, i));
  });
  for (const { index, shape } of seeds) graph.input(`seed${index}`, precision, declared(shape));
  const outputs = Array.from({ length: of.outputs ?? 1 }, (_, i) => `y${i}`);
  graph.node(of.operator, inputs, of.attributes ?? {}, { outputs, name: 'case' });
  const seeded = of.seeded ?? outputs.map((_, i) => i);
  for (const index of seeded) {
    const shape = seeds.find((seed) => seed.index === index)?.shape;
    // Without a shape: ONNX Runtime infers it.
    graph.output(`y${index}`, precision, shape === undefined ? [] : declared(shape));
    if (shape === undefined) dropShape(graph, `y${index}`);
  }
  return graph.model({ opset: of.opset ?? 17, irVersion: 10 });
}

function dropShape(graph: GraphBuilder, name: string): void {
  const value = graph.graph().output.find((each) => each.name === name)!.type!.value;
  if (value.case === 'tensorType') delete value.value.shape;
}

function packed(type: string, { shape, values: numbers }: OperatorInput): NumericTensor {
  switch (type) {
    case 'int64':
      return tensor('int64', shape, BigInt64Array.from(numbers, BigInt));
    case 'int32':
      return tensor('int32', shape, Int32Array.from(numbers));
    case 'bool':
      return tensor('bool', shape, Uint8Array.from(numbers));
    case 'float32':
      return tensor('float32', shape, Float32Array.from(numbers));
    default:
      return tensor('float64', shape, Float64Array.from(numbers));
  }
}

export function feedsOf(of: OperatorCase, precision: Precision): Record<string, OrtTensor> {
  const feeds: Record<string, OrtTensor> = {};
  of.inputs.forEach((input, i) => {
    if (input === undefined || input.role === 'constant') return;
    const type = input.type === undefined || input.type === 'float' ? precision : input.type;
    feeds[`x${i}`] = ortTensor(type, input.shape, input.values);
  });
  return feeds;
}

function ortTensor(type: string, shape: readonly number[], numbers: readonly number[]): OrtTensor {
  const packedTensor = packed(type, { shape, values: numbers });
  return new OrtTensor(type as 'float32', values(packedTensor) as Float32Array, [...shape]);
}

async function open(model: Model): Promise<InferenceSession> {
  return InferenceSession.create(writeModel(model), { intraOpNumThreads: 1, logSeverityLevel: 4 });
}

/**
 * An input of that shape whose values are all different, odd multiples of 0.055 in random order: what
 * bends or jumps at a multiple of 0.11 does so at a distance, and no two values meet in a maximum.
 */
export function floats(
  shape: readonly number[],
  options: { readonly shift?: number } = {},
): fc.Arbitrary<OperatorInput> {
  const count = elementCount(shape);
  return fc.nat(0xffff).map((seed) => {
    const random = seededRandom(seed);
    const numbers = Array.from(
      { length: count },
      (_, i) => (2 * (i - Math.floor(count / 2)) + 1) * 0.055 + (options.shift ?? 0),
    );
    for (let i = count - 1; i > 0; i--) {
      const other = Math.floor(random.next() * (i + 1));
      [numbers[i], numbers[other]] = [numbers[other]!, numbers[i]!];
    }
    return { shape, values: numbers };
  });
}

/** A list of integers as a constant, such as axes. */
export function ints(...list: readonly number[]): OperatorInput {
  return { shape: [list.length], values: list, role: 'constant', type: 'int64' };
}

/** Small shapes; sizes 1 to 3. */
export function shapes(minRank = 0, maxRank = 3): fc.Arbitrary<number[]> {
  return fc.array(fc.integer({ min: 1, max: 3 }), { minLength: minRank, maxLength: maxRank });
}

/** Shapes that broadcast to one common shape. */
export function broadcastShapes(count: number): fc.Arbitrary<number[][]> {
  return shapes().chain((shape) =>
    fc.array(
      fc
        .tuple(
          fc.integer({ min: 0, max: shape.length }),
          fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
        )
        .map(([dropped, ones]) =>
          shape.slice(dropped).map((size, axis) => (ones[axis] ? 1 : size)),
        ),
      { minLength: count, maxLength: count },
    ),
  );
}

/** Checks the gradient over generated cases; the same cases each time. */
export async function checkGradients(
  cases: fc.Arbitrary<OperatorCase>,
  numRuns = 12,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(cases, (of) => expectGradient(of)),
    { numRuns, seed: 20260101, endOnFailure: true },
  );
}

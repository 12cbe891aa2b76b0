/** Outputs of ONNX Runtime bit by bit, before and after a pass. */
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { writeModel, type Model } from '../../model/model.ts';
import { tensorOf } from '../../model/protos.ts';
import { OnnxError } from '../../onnx-error.ts';
import { values, type Tensor } from '../../tensor/tensor.ts';
import type { Case } from '../../testdata/testing/cases.ts';

export type Feeds = Readonly<Record<string, OrtTensor>>;

/** `disabled`: each operator as the model has it, without fusions that depend on the operator set. */
export type Optimisation = 'disabled' | 'all';

export async function sessionOf(
  model: Model | Uint8Array,
  optimisation: Optimisation = 'all',
): Promise<InferenceSession> {
  return InferenceSession.create(model instanceof Uint8Array ? model : writeModel(model), {
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
    graphOptimizationLevel: optimisation,
  });
}

/** Each output as its type, shape and bytes in hexadecimal, so that NaN equals NaN. */
export async function outputsOf(
  model: Model | Uint8Array,
  feeds: Feeds,
  optimisation: Optimisation = 'all',
): Promise<Readonly<Record<string, string>>> {
  const session = await sessionOf(model, optimisation);
  try {
    const results = await session.run(feeds);
    return Object.fromEntries(Object.entries(results).map(([name, each]) => [name, bitsOf(each)]));
  } finally {
    await session.release();
  }
}

export function bitsOf({ type, dims, data }: OrtTensor): string {
  const bits =
    type === 'string'
      ? JSON.stringify(data)
      : Buffer.from(
          (data as Float32Array).buffer,
          (data as Float32Array).byteOffset,
          (data as Float32Array).byteLength,
        ).toString('hex');
  return `${type}[${dims.join(', ')}] ${bits}`;
}

/** The inputs of a case of the ONNX project; undefined where some are not tensors of numbers or texts. */
export function feedsOfCase(each: Case, model: Model): Feeds | undefined {
  const feeds: Record<string, OrtTensor> = {};
  for (const [index, { name }] of model.graph!.input.entries()) {
    const given = ortTensorOf(each, index);
    if (given === undefined) return undefined;
    feeds[name] = given;
  }
  return feeds;
}

function ortTensorOf(each: Case, index: number): OrtTensor | undefined {
  const value = valueOf(each, index);
  // ONNX Runtime's JavaScript does not take bfloat16.
  if (value === undefined || value.type === 'bfloat16') return undefined;
  if (value.type === 'string') {
    const texts = value.elements.map((element) => new TextDecoder().decode(element));
    return new OrtTensor('string', texts, [...value.shape]);
  }
  const data = values({ ...value, bytes: value.bytes.slice() });
  return new OrtTensor(value.type as 'float32', data as Float32Array, [...value.shape]);
}

/** Sequences and optionals are not tensors. */
function valueOf(each: Case, index: number): Tensor | undefined {
  const proto = each.input(index);
  try {
    return proto && tensorOf(proto);
  } catch (error) {
    if (error instanceof OnnxError) return undefined;
    throw error;
  }
}

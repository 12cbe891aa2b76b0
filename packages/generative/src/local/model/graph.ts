/**
 * Reads what kind of decoder an ONNX file is, and prepares it for generation: two small changes of
 * the graph that save most of the time outside its kernels.
 *
 * - Logits of the last positions only. A prompt of 256 tokens needs one row of logits, not 256: in a
 *   model of 135M parameters the last matrix is a fifth of the work.
 * - No copies of outputs. The binding of ONNX Runtime copies every output into a new ArrayBuffer,
 *   even one that was written into a buffer of the caller (tensor_helper.cc, OrtValueToNapiValue):
 *   the whole KV cache in each step. It converts outputs in their order, and refuses a sequence
 *   after the run. A sequence as the first output therefore ends the call before the first copy.
 */
import {
  externalTensors,
  GraphBuilder,
  readModel,
  signatureOf,
  tensor,
  withGraph,
  writeModel,
  type ElementType,
  type Model,
  type TensorSpec,
} from '@skein/onnx';
import { invalid } from './invalid.ts';

/**
 * `shared`: com.microsoft.GroupQueryAttention writes new keys into the memory of the old ones.
 * `appended`: the graph concatenates, and returns the cache as a new tensor (Optimum).
 */
export type CacheKind = 'shared' | 'appended';

export interface DecoderGraph {
  readonly bytes: Uint8Array;
  readonly cache: CacheKind;
  readonly cacheType: 'float32' | 'float16';
  readonly logitsType: 'float32' | 'float16';
  readonly layers: number;
  readonly keyHeads: number;
  readonly headSize: number;
  /** Input names, without the cache's. */
  readonly inputs: ReadonlySet<string>;
  /** Longest position that the rotary tables hold; Infinity where the graph computes them. */
  readonly positions: number;
  /** Files with weights, next to the model. */
  readonly externalFiles: ReadonlyMap<string, number>;
}

/** The output that ends the conversion of outputs. */
export const NO_COPIES = 'skein_no_copies';
/** How many positions from the end have logits. */
export const KEEP = 'skein_logits_to_keep';

const PAST = /^past_key_values\.(\d+)\.(key|value)$/;
/** Inputs that the decoder can feed. */
const KNOWN: ReadonlySet<string> = new Set([
  'input_ids',
  'attention_mask',
  'position_ids',
  'use_cache_branch',
  'num_logits_to_keep',
  KEEP,
]);
/** Operators between the last matrix and the logits that work on each element. */
const ELEMENTWISE: ReadonlySet<string> = new Set(['Cast', 'Identity', 'Div', 'Mul', 'Tanh', 'Add']);
const MATRICES: ReadonlySet<string> = new Set(['MatMul', 'MatMulNBits', 'FusedMatMul', 'Gemm']);

/** @throws SkeinError LANGUAGE_MODEL_INVALID when the graph is not a decoder with a KV cache. */
export function readDecoder(file: Uint8Array): DecoderGraph {
  const model = readModel(file);
  const signature = signatureOf(model);
  const past = signature.inputs.filter(({ name }) => PAST.test(name));
  const first = past.find(({ name }) => name === 'past_key_values.0.key');
  if (first === undefined) {
    throw invalid(
      'The model has no inputs named past_key_values.N.key and past_key_values.N.value, so it keeps no KV cache',
    );
  }
  const [, keyHeads, , headSize] = first.shape;
  if (typeof keyHeads !== 'number' || typeof headSize !== 'number') {
    throw invalid(`The input ${first.name} does not state its heads and their size`);
  }
  const others = signature.inputs.map(({ name }) => name).filter((name) => !PAST.test(name));
  const unknown = others.find((name) => !KNOWN.has(name));
  if (unknown !== undefined)
    throw invalid(`The model has an input '${unknown}', which has no meaning here`);
  if (!others.includes('input_ids')) throw invalid('The model has no input named input_ids');
  const logits = signature.outputs.find(({ name }) => name === 'logits');
  if (logits === undefined) throw invalid('The model has no output named logits');
  const layers = past.length / 2;
  for (let layer = 0; layer < layers; layer++) {
    for (const part of ['key', 'value']) {
      const present = `present.${layer}.${part}`;
      if (signature.outputs.some(({ name }) => name === present)) continue;
      throw invalid(`The model has no output named ${present}`);
    }
  }
  const attention = model.graph!.node.filter(({ opType }) => opType === 'GroupQueryAttention');
  const prepared = withoutCopies(withLogitsOfLast(model));
  return {
    bytes: writeModel(prepared),
    cache: attention.length > 0 ? 'shared' : 'appended',
    cacheType: halfOrFloat(first),
    logitsType: halfOrFloat(logits),
    layers,
    keyHeads,
    headSize,
    inputs: new Set(signatureInputs(prepared).filter((name) => !PAST.test(name))),
    positions: rotaryPositions(model, attention[0]?.input[7]),
    externalFiles: filesOf(model),
  };
}

function halfOrFloat({ name, type }: TensorSpec): 'float32' | 'float16' {
  if (type === 'float32' || type === 'float16') return type;
  throw invalid(`The tensor ${name} is ${type}; float32 and float16 are supported`);
}

function signatureInputs(model: Model): readonly string[] {
  const initialised = new Set(model.graph!.initializer.map(({ name }) => name));
  return model.graph!.input.map(({ name }) => name).filter((name) => !initialised.has(name));
}

/** Bytes that each external file must have. */
function filesOf(model: Model): ReadonlyMap<string, number> {
  const files = new Map<string, number>();
  for (const { location, offset, length } of externalTensors(model)) {
    files.set(location, Math.max(files.get(location) ?? 0, offset + length));
  }
  return files;
}

function rotaryPositions(model: Model, table: string | undefined): number {
  const found = model.graph!.initializer.find(({ name }) => name === table && name !== '');
  return found === undefined ? Infinity : Number(found.dims[0]);
}

/** Slices the input of the last matrix, where the graph has no such input of its own. */
function withLogitsOfLast(model: Model): Model {
  const graph = model.graph!;
  if (graph.input.some(({ name }) => name === 'num_logits_to_keep')) return model;
  const producers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node])));
  let node = producers.get('logits');
  while (node !== undefined && ELEMENTWISE.has(node.opType)) node = producers.get(node.input[0]!);
  if (node === undefined || !MATRICES.has(node.opType)) return model;
  const last = node;
  const part = new GraphBuilder('part');
  const keep = part.input(KEEP, 'int64', [1]);
  const constant = (name: string, value: bigint): string =>
    part.initializer(`${KEEP}.${name}`, tensor('int64', [1], new BigInt64Array([value])));
  const [start] = part.node('Neg', [keep], {}, { outputs: [`${KEEP}.start`] });
  const end = constant('end', 2n ** 31n - 1n);
  const axis = constant('axis', 1n);
  part.node('Slice', [last.input[0]!, start, end, axis], {}, { outputs: [`${KEEP}.rows`] });
  const added = part.graph();
  const sliced = { ...last, input: [`${KEEP}.rows`, ...last.input.slice(1)] };
  return withGraph(model, {
    input: [...graph.input, ...added.input],
    initializer: [...graph.initializer, ...added.initializer],
    node: graph.node.flatMap((each) => (each === last ? [...added.node, sliced] : [each])),
  });
}

function withoutCopies(model: Model): Model {
  const graph = model.graph!;
  const part = new GraphBuilder('part');
  part.node('SequenceConstruct', ['input_ids'], {}, { outputs: [NO_COPIES] });
  part.sequenceOutput(NO_COPIES, 'int64' satisfies ElementType);
  const added = part.graph();
  return withGraph(model, {
    node: [...graph.node, ...added.node],
    output: [...added.output, ...graph.output],
  });
}

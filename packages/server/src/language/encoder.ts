/**
 * A deployed text encoder: one string per row in, one vector per row out. A second output of int64, one
 * per row, counts the tokens of each text: its tokenizer is in the graph, so that nothing else can count them.
 */
import { SkeinError } from '@skein/api';
import type { Signature, Tensor } from '@skein/onnx';
import type { Embeddings } from '@skein/generative';
import { Cancellation, type Inference, type InferenceRequest } from '@skein/serving';

export interface Encoder {
  readonly deployment: string;
  readonly input: string;
  /** [rows], or [rows, 1]. */
  readonly inputRank: number;
  readonly output: string;
  /** Its output of the tokens of each row, if it has one. */
  readonly counts?: string | undefined;
}

/** @returns undefined when no deployment of this name takes texts and returns vectors. */
export function encoderOf(
  inference: Pick<Inference, 'list'>,
  deployment: string,
): Encoder | undefined {
  const deployed = inference.list().find(({ name }) => name === deployment);
  const found = deployed && encoderIn(deployed.signature);
  return found && { deployment, ...found };
}

function encoderIn({ inputs, outputs }: Signature): Omit<Encoder, 'deployment'> | undefined {
  const [input] = inputs;
  const output = outputs.find(({ type }) => type === 'float32');
  const [counts, ...more] = outputs.filter((each) => each !== output);
  if (inputs.length !== 1 || !input || !output || more.length > 0) return undefined;
  if (counts !== undefined && (counts.type !== 'int64' || counts.shape.length !== 1))
    return undefined;
  const takesTexts =
    input.type === 'string' &&
    (input.shape.length === 1 || (input.shape.length === 2 && input.shape[1] === 1));
  if (!takesTexts || output.shape.length !== 2) return undefined;
  return {
    input: input.name,
    inputRank: input.shape.length,
    output: output.name,
    counts: counts?.name,
  };
}

/** @returns a vector per text, and 0 tokens where the encoder does not count them. @throws SkeinError as `infer` does. */
export async function encodeTexts(
  inference: Inference,
  { deployment, input, inputRank, output, counts }: Encoder,
  texts: readonly string[],
  {
    id,
    tenant,
    trace,
    signal,
  }: Pick<InferenceRequest, 'id' | 'tenant' | 'trace'> & { readonly signal: AbortSignal },
): Promise<Embeddings> {
  const cancellation = new Cancellation();
  const cancel = (): void => cancellation.cancel();
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  const shape = inputRank === 1 ? [texts.length] : [texts.length, 1];
  const { outputs } = await inference
    .infer({
      id,
      deployment,
      version: undefined,
      inputs: new Map([
        [input, { type: 'string', shape, elements: texts.map((text) => Buffer.from(text)) }],
      ]),
      outputs: counts === undefined ? [output] : [output, counts],
      arrivedAt: performance.now(),
      deadline: undefined,
      priority: 0,
      tenant,
      stickyKey: undefined,
      cancellation,
      trace,
      takesChunks: false,
      protocol: 'http',
    })
    .finally(() => signal.removeEventListener('abort', cancel));
  const tensor = outputs.get(output);
  if (tensor?.type !== 'float32') {
    throw new SkeinError('INTERNAL', `"${deployment}" returned no vectors.`);
  }
  // Aligned, and no view on the memory of the replica.
  const data = new Float32Array(tensor.bytes.slice().buffer);
  const length = data.length / texts.length;
  const vectors = texts.map((_, row) => data.slice(row * length, (row + 1) * length));
  return { vectors, usage: { inputTokens: sumOf(outputs.get(counts ?? '')), outputTokens: 0 } };
}

function sumOf(counts: Tensor | undefined): number {
  if (counts?.type !== 'int64') return 0;
  const each = new BigInt64Array(counts.bytes.slice().buffer);
  return Number(each.reduce((sum, count) => sum + count, 0n));
}

/** A deployed text encoder: one string per row in, one vector per row out. */
import { SkeinError } from '@skein/api';
import type { Signature } from '@skein/onnx';
import { Cancellation, type Inference } from '@skein/serving';

export interface Encoder {
  readonly deployment: string;
  readonly input: string;
  /** [rows], or [rows, 1]. */
  readonly inputRank: number;
  readonly output: string;
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
  const [output] = outputs;
  if (inputs.length !== 1 || outputs.length !== 1 || !input || !output) return undefined;
  const takesTexts =
    input.type === 'string' &&
    (input.shape.length === 1 || (input.shape.length === 2 && input.shape[1] === 1));
  if (!takesTexts || output.type !== 'float32' || output.shape.length !== 2) return undefined;
  return { input: input.name, inputRank: input.shape.length, output: output.name };
}

/** @returns a vector per text. @throws SkeinError as `infer` does. */
export async function encodeTexts(
  inference: Inference,
  { deployment, input, inputRank, output }: Encoder,
  texts: readonly string[],
  {
    id,
    tenant,
    signal,
  }: { readonly id: string; readonly tenant: string; readonly signal: AbortSignal },
): Promise<Float32Array[]> {
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
      outputs: [output],
      arrivedAt: performance.now(),
      deadline: undefined,
      priority: 0,
      tenant,
      stickyKey: undefined,
      cancellation,
      trace: undefined,
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
  return texts.map((_, row) => data.slice(row * length, (row + 1) * length));
}

/**
 * Continues a text, one character at a time. Each is drawn from the probabilities that the deployment
 * returns for the position after the text so far.
 */
import type { Client } from '@skein/api/client';
import type { Random } from '@skein/onnx';
import type { Alphabet } from './alphabet.ts';

export interface GenerateOptions {
  /** Name of the deployment. */
  readonly deployment: string;
  readonly alphabet: Alphabet;
  /** Characters that the model sees at once. */
  readonly length: number;
  /** Below 1: more often what is likeliest. */
  readonly temperature: number;
  readonly random: Random;
}

/** The characters after `beginning`, without end. @throws SkeinError as the node does. */
export async function* generate(
  client: Client,
  beginning: string,
  { deployment, alphabet, length, temperature, random }: GenerateOptions,
): AsyncGenerator<string, never, undefined> {
  const written = alphabet.encode(beginning);
  for (;;) {
    const seen = written.slice(-length);
    // Positions after the last character may hold any value: no position attends to later ones.
    const data = BigInt64Array.from({ length }, (_, i) => BigInt(seen[i] ?? 0));
    const { outputs } = await client.infer(deployment, { text: { shape: [1, length], data } });
    const size = alphabet.characters.length;
    const logits = outputs['logits']!.data as Float32Array;
    const last = logits.subarray((seen.length - 1) * size, seen.length * size);
    const next = draw(last, temperature, random.next());
    written.push(next);
    yield alphabet.characters[next]!;
  }
}

/** An index, each as likely as the softmax of its logit over the temperature. @param share in [0, 1). */
function draw(logits: Float32Array, temperature: number, share: number): number {
  const largest = Math.max(...logits);
  const weights = Array.from(logits, (each) => Math.exp((each - largest) / temperature));
  let left = share * weights.reduce((sum, each) => sum + each, 0);
  const found = weights.findIndex((each) => (left -= each) < 0);
  return found < 0 ? weights.length - 1 : found;
}

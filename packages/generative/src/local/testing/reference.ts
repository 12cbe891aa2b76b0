/**
 * A naive forward pass over the weights of llama2.c: one token after another, in float64, without
 * batches or padding. It is the truth that the ONNX decoder is compared with.
 */
import type { Llama2c } from '../build/llama2c.ts';

/** Greedy continuation of a prompt. @param penalty of tokens that have occurred, prompt included; 1: none. */
export function referenceGreedy(
  model: Llama2c,
  prompt: readonly number[],
  count: number,
  penalty = 1,
): number[] {
  const forward = referenceForward(model);
  let logits: Float64Array = new Float64Array(0);
  for (const [position, token] of prompt.entries()) logits = forward(token, position);
  const tokens: number[] = [];
  for (let position = prompt.length; tokens.length < count; position++) {
    for (const seen of new Set([...prompt, ...tokens])) {
      logits[seen]! *= logits[seen]! > 0 ? 1 / penalty : penalty;
    }
    const token = logits.indexOf(Math.max(...logits));
    tokens.push(token);
    if (tokens.length < count) logits = forward(token, position);
  }
  return tokens;
}

/** One sequence: call it with positions 0, 1, 2 … */
export function referenceForward({
  shape,
  raw,
}: Llama2c): (token: number, position: number) => Float64Array {
  const { hidden, layers, heads, keyHeads, headSize, intermediate, epsilon, ropeBase } = shape;
  const keys: Float64Array[][] = Array.from({ length: layers }, () => []);
  const values: Float64Array[][] = Array.from({ length: layers }, () => []);
  return (token, position) => {
    let x: Float64Array = Float64Array.from(
      raw.embedding.subarray(token * hidden, (token + 1) * hidden),
    );
    for (let layer = 0; layer < layers; layer++) {
      const h = norm(x, raw.attentionNorm, layer * hidden, epsilon);
      const q = product(raw.query, layer, hidden, h);
      const k = product(raw.key, layer, keyHeads * headSize, h);
      const v = product(raw.value, layer, keyHeads * headSize, h);
      for (const each of [q, k]) rotate(each, headSize, position, ropeBase);
      keys[layer]!.push(k);
      values[layer]!.push(v);
      const mixed = new Float64Array(hidden);
      for (let head = 0; head < heads; head++) {
        const at = head * headSize;
        const from = Math.floor(head / (heads / keyHeads)) * headSize;
        const scores = keys[layer]!.map((key) => {
          let sum = 0;
          for (let i = 0; i < headSize; i++) sum += q[at + i]! * key[from + i]!;
          return sum / Math.sqrt(headSize);
        });
        const most = Math.max(...scores);
        const weights = scores.map((score) => Math.exp(score - most));
        const total = weights.reduce((a, b) => a + b, 0);
        for (const [t, weight] of weights.entries()) {
          for (let i = 0; i < headSize; i++)
            mixed[at + i]! += (weight / total) * values[layer]![t]![from + i]!;
        }
      }
      x = add(x, product(raw.output, layer, hidden, mixed));
      const g = norm(x, raw.mlpNorm, layer * hidden, epsilon);
      const gate = product(raw.gate, layer, intermediate, g);
      const up = product(raw.up, layer, intermediate, g);
      const wide = gate.map((value, i) => (value / (1 + Math.exp(-value))) * up[i]!);
      x = add(x, product(raw.down, layer, hidden, wide));
    }
    return product(raw.head, 0, shape.vocabulary, norm(x, raw.norm, 0, epsilon));
  };
}

function norm(x: Float64Array, scale: Float32Array, at: number, epsilon: number): Float64Array {
  const mean = x.reduce((sum, value) => sum + value * value, 0) / x.length;
  return x.map((value, i) => (value / Math.sqrt(mean + epsilon)) * scale[at + i]!);
}

/** Multiplies the matrix of layer `layer`: [outputs, inputs] × [inputs]. */
function product(
  matrix: Float32Array,
  layer: number,
  outputs: number,
  x: Float64Array,
): Float64Array {
  const start = layer * outputs * x.length;
  return Float64Array.from({ length: outputs }, (_, row) => {
    let sum = 0;
    for (let i = 0; i < x.length; i++) sum += matrix[start + row * x.length + i]! * x[i]!;
    return sum;
  });
}

/** Rotates neighbouring pairs of each head. */
function rotate(x: Float64Array, headSize: number, position: number, base: number): void {
  for (let i = 0; i < x.length; i += 2) {
    const angle = position * base ** (-(i % headSize) / headSize);
    const [a, b] = [x[i]!, x[i + 1]!];
    x[i] = a * Math.cos(angle) - b * Math.sin(angle);
    x[i + 1] = a * Math.sin(angle) + b * Math.cos(angle);
  }
}

const add = (a: Float64Array, b: Float64Array): Float64Array => a.map((value, i) => value + b[i]!);

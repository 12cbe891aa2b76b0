/**
 * Checks the answers of a new version for defects that need no comparison of values: NaN and
 * infinity, and outputs of another type or rank than the old versions give. The share of such
 * answers is compared with the old versions': if those answer NaN too, it does not count against
 * the new one. It also keeps the latencies of both, as evidence to show.
 */
import { values, type NumericTensor, type Tensor, type TensorMap } from '@skein/onnx';
import { BUCKETS, bucketOf } from '@skein/api/latency-buckets';

/** Numbers checked per output, spread evenly: a broken model is rarely broken in one place. */
const MAX_LOOKED_AT = 16_384;

export class OutputWatch {
  readonly #candidate: string;
  /** Type and rank of each output of the old versions. */
  readonly #forms = new Map<string, string>();
  /** Answers of the new version and of the old ones with a defect. */
  candidateOdd = 0;
  stableOdd = 0;
  /** Latencies of the new version in the current step, and of the old ones. */
  readonly candidateLatency = new Uint32Array(BUCKETS);
  readonly stableLatency = new Uint32Array(BUCKETS);

  /** @param candidate the new version. */
  constructor(candidate: string) {
    this.#candidate = candidate;
  }

  note(version: string, outputs: TensorMap, latencyMs: number): void {
    if (version === this.#candidate) {
      this.candidateLatency[bucketOf(latencyMs)]! += 1;
      if (this.#isOdd(outputs)) this.candidateOdd++;
      return;
    }
    this.stableLatency[bucketOf(latencyMs)]! += 1;
    let odd = false;
    for (const [name, tensor] of outputs) {
      this.#forms.set(name, formOf(tensor));
      if (hasNonFinite(tensor)) odd = true;
    }
    if (odd) this.stableOdd++;
  }

  #isOdd(outputs: TensorMap): boolean {
    for (const [name, tensor] of outputs) {
      const form = this.#forms.get(name);
      if ((form !== undefined && form !== formOf(tensor)) || hasNonFinite(tensor)) return true;
    }
    return false;
  }
}

function formOf({ type, shape }: Tensor): string {
  return `${type}/${shape.length}`;
}

function hasNonFinite(tensor: Tensor): boolean {
  switch (tensor.type) {
    case 'float32':
    case 'float64':
      return hasSuch(values(tensor) as Float32Array | Float64Array, (value) => value - value !== 0);
    case 'float16':
      return hasBits(tensor, 0x7c00);
    case 'bfloat16':
      return hasBits(tensor, 0x7f80);
    default:
      return false;
  }
}

/** 16-bit floats are NaN or infinite when all bits of the exponent are set. */
function hasBits(tensor: NumericTensor, exponent: number): boolean {
  return hasSuch(values(tensor) as Uint16Array, (bits) => (bits & exponent) === exponent);
}

function hasSuch(
  numbers: Float32Array | Float64Array | Uint16Array,
  test: (value: number) => boolean,
): boolean {
  const step = Math.max(1, Math.ceil(numbers.length / MAX_LOOKED_AT));
  for (let i = 0; i < numbers.length; i += step) if (test(numbers[i]!)) return true;
  return false;
}

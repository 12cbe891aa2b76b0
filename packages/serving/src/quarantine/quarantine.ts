/**
 * Keeps requests that have ended replicas away from a version: each costs all callers a replica,
 * and would do so again. A request is identified by its inputs. After its second replica it is
 * refused for a while, before it costs anything. Other requests of the version are not affected.
 *
 * While the quarantine is empty, a request costs one comparison. Otherwise it costs a few sampled
 * bytes, and a digest only if those match.
 */
import { SkeinError } from '@skein/api';
import type { TensorMap } from '@skein/onnx';
import type { Clock, Instant } from '../contract.ts';
import { requestDigest } from '../cache/request-digest.ts';

/** Replicas that a request may end. */
const MAX_ENDED = 2;
/** How long it is kept: the cause may be repaired, such as a full memory. */
const REMEMBERED_MS = 10 * 60_000;
const MAX_SUSPECTS = 256;
/** Bytes sampled of each input. */
const SAMPLES = 16;

interface Suspect {
  readonly sample: string;
  readonly digest: string;
  ended: number;
  until: Instant;
}

export class Quarantine {
  readonly #version: string;
  readonly #clock: Clock;
  /** By digest, the most recently blamed last. */
  readonly #suspects = new Map<string, Suspect>();
  /** How many suspects have a sample. */
  readonly #samples = new Map<string, number>();

  constructor(version: string, clock: Clock) {
    this.#version = version;
    this.#clock = clock;
  }

  /** @param ended number of replicas that only this request can have ended. */
  blame(inputs: TensorMap, ended: number): void {
    if (ended === 0) return;
    const digest = requestDigest(this.#version, inputs, undefined);
    const known = this.#suspects.get(digest);
    if (known !== undefined) this.#remove(known);
    else if (this.#suspects.size >= MAX_SUSPECTS) {
      const [oldest] = this.#suspects.values();
      this.#remove(oldest!);
    }
    const suspect: Suspect = {
      sample: sampleOf(inputs),
      digest,
      ended: (known?.ended ?? 0) + ended,
      until: this.#clock.now() + REMEMBERED_MS,
    };
    this.#suspects.set(digest, suspect);
    this.#samples.set(suspect.sample, (this.#samples.get(suspect.sample) ?? 0) + 1);
  }

  /** Why a request with these inputs is refused; undefined if it is admitted. */
  refusal(inputs: TensorMap): SkeinError | undefined {
    if (this.#suspects.size === 0 || !this.#samples.has(sampleOf(inputs))) return undefined;
    const suspect = this.#suspects.get(requestDigest(this.#version, inputs, undefined));
    if (suspect === undefined) return undefined;
    const leftMs = suspect.until - this.#clock.now();
    if (leftMs <= 0) {
      this.#remove(suspect);
      return undefined;
    }
    if (suspect.ended < MAX_ENDED) return undefined;
    const minutes = Math.ceil(leftMs / 60_000);
    return new SkeinError(
      'REQUEST_QUARANTINED',
      `${suspect.ended} replicas of version ${this.#version} ended while they ran a request with these inputs alone; it may be retried in ${minutes} minutes.`,
    );
  }

  #remove({ digest, sample }: Suspect): void {
    this.#suspects.delete(digest);
    const left = this.#samples.get(sample)! - 1;
    if (left > 0) this.#samples.set(sample, left);
    else this.#samples.delete(sample);
  }
}

/** Equal for equal inputs, and quick. */
function sampleOf(inputs: TensorMap): string {
  let sample = '';
  for (const name of [...inputs.keys()].sort()) {
    const tensor = inputs.get(name)!;
    const bytes = tensor.type === 'string' ? (tensor.elements[0] ?? NONE) : tensor.bytes;
    sample += `${name.length}:${tensor.shape.join('×')}:${bytes.length}`;
    const step = Math.max(1, Math.floor(bytes.length / SAMPLES));
    for (let at = 0; at < bytes.length; at += step) sample += `,${bytes[at]!}`;
  }
  return sample;
}

const NONE = new Uint8Array(0);

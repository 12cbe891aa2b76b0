/** The parts of a payload whose lengths are in the fields of an answer: a head, and chunks. */
import { answerInvalid, type Payload } from './chunks.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** Where a part is in a payload. */
export interface Part {
  readonly at: number;
  readonly bytes: number;
}

/** @throws SkeinError ANSWER_INVALID if the lengths do not fit the parts. */
export function partsAt(bytes: number, lengths: unknown): Part[] {
  const valid =
    Array.isArray(lengths) &&
    lengths.length > 0 &&
    lengths.every((each) => Number.isSafeInteger(each) && (each as number) > 0) &&
    lengths.reduce((sum: number, each) => sum + (each as number), 0) === bytes;
  if (!valid) {
    throw answerInvalid('The lengths of a masked update do not fit its bytes.');
  }
  let end = 0;
  return (lengths as number[]).map((each) => ({ at: (end += each) - each, bytes: each }));
}

/** @returns reads a part of a payload, into the memory of the one before it. */
export function partReader(): (payload: Pick<Payload, 'readInto'>, part: Part) => Promise<Bytes> {
  let memory = new Uint8Array(0);
  return async (payload, { at, bytes }) => {
    if (memory.length < bytes) memory = new Uint8Array(bytes);
    const part = memory.subarray(0, bytes);
    await payload.readInto(part, at);
    return part;
  };
}

/** @throws SkeinError ANSWER_INVALID. */
export function requireChunks(given: number, expected: number): void {
  if (given === expected) return;
  throw answerInvalid(`The update has ${given} chunks, not ${expected}.`);
}

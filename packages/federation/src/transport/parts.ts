/** The parts of a payload whose lengths are in the fields of an answer: a head, and chunks. */
import { SkeinError } from '@skein/api/errors';

type Bytes = Uint8Array<ArrayBuffer>;

/** @throws SkeinError ANSWER_INVALID if the lengths are not those of the parts. */
export function partsOf(bytes: Bytes, lengths: unknown): Bytes[] {
  const valid =
    Array.isArray(lengths) &&
    lengths.length > 0 &&
    lengths.every((each) => Number.isSafeInteger(each) && (each as number) > 0) &&
    lengths.reduce((sum: number, each) => sum + (each as number), 0) === bytes.length;
  if (!valid) {
    throw new SkeinError('ANSWER_INVALID', 'The lengths of a masked update do not fit its bytes.');
  }
  let at = 0;
  return (lengths as number[]).map((each) => bytes.subarray(at, (at += each)));
}

/**
 * Before the first chunk is added: an update that is refused must not be whole.
 * @throws SkeinError ANSWER_INVALID.
 */
export function requireChunks(given: number, expected: number): void {
  if (given === expected) return;
  throw new SkeinError('ANSWER_INVALID', `The update has ${given} chunks, not ${expected}.`);
}

/** Gathers byte arrays of any length from all ranks, such as copies of a checkpoint. */
import type { Collective } from './collective.ts';
import { bytesOf } from './numbers.ts';

const PER_NUMBER = 4;

/**
 * Gathers the bytes of each rank on every rank; all ranks call it.
 * @throws RankLost when a rank is lost.
 */
export async function gatherBytes(
  collective: Collective,
  given: Uint8Array,
): Promise<readonly Uint8Array[]> {
  const { rank } = collective;
  const length = collective.own('float64', 1);
  length[0] = given.byteLength;
  const lengths = (await collective.gather(length, 1)).map(([each = 0]) => each);
  const numbersFor = (bytes: number) => Math.ceil(bytes / PER_NUMBER);
  // Copies between arrays of one type keep every bit, also of NaN.
  const own = collective.own('float32', Math.max(...lengths.map(numbersFor)));
  bytesOf(own).set(given);
  const all = await collective.gather(own, numbersFor(given.byteLength));
  return all.map((numbers, r) =>
    r === rank ? given : bytesOf(numbers).subarray(0, lengths[r]).slice(),
  );
}

/** Sites with identities, and inputs, as all measurements of secure sums need them. */
import { randomFillSync } from 'node:crypto';
import { signerOf, type AggregationContext, type Signer } from '@skein/train/secure-aggregation';

/** Bits of an entry: 16-bit quantisation, and the carry bits for the sum of n. */
export function bitsOf(sites: number): number {
  return Math.ceil(Math.log2(sites * (2 ** 16 - 1)));
}

export async function participants(
  sites: number,
  length: number,
): Promise<{ readonly signers: readonly Signer[]; readonly context: AggregationContext }> {
  const signers = await Promise.all(Array.from({ length: sites }, () => signerOf()));
  const roster = signers.map(({ publicKey }) => publicKey);
  const plan = new Uint8Array(32).fill(1);
  return {
    signers,
    context: { run: 'bench', round: 0, plan, roster, length, bits: bitsOf(sites) },
  };
}

export function input(length: number): Uint32Array {
  return Uint32Array.from(randomFillSync(new Uint16Array(length)));
}

export function addTo(sum: Uint32Array, update: Uint32Array): void {
  for (let at = 0; at < sum.length; at++) sum[at]! += update[at]!;
}

/** A measurement of a wrong sum is worth nothing. */
export function assertSum(sum: Uint32Array, plain: Uint32Array): void {
  if (plain.some((entry, at) => entry !== sum[at])) throw new Error('the unmasked sum is wrong');
}

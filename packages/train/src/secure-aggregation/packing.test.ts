/** Packed entries against one large number, and sums of them. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { addPacked, CHUNK, chunkBytes, pack, packAll, reduce } from './packing.ts';

it('packs as the digits of one number', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 32 }),
      fc.uint32Array({ minLength: 1, maxLength: 70 }),
      (bits, entries) => {
        const low = reduce(entries.slice(), bits);
        // Read as one number, the entries are its digits to the base of 2^bits.
        let whole = Array.from(low).reduceRight(
          (sum, entry) => (sum << BigInt(bits)) + BigInt(entry),
          0n,
        );
        const bytes = Array.from({ length: Math.ceil((low.length * bits) / 8) }, () => {
          const byte = Number(whole & 255n);
          whole >>= 8n;
          return byte;
        });
        const packed = pack(entries, bits);
        expect([...packed]).toEqual(bytes);
        const sum = Uint32Array.from(entries);
        addPacked(sum, packed, bits);
        expect(sum).toEqual(entries.map((entry, at) => entry + low[at]!));
      },
    ),
  );
});

it('packs whole bytes in every chunk', () => {
  const chunks = packAll(new Uint32Array(2 * CHUNK + 3), 23);
  expect(chunks.map(({ length }) => length)).toEqual([(CHUNK * 23) / 8, (CHUNK * 23) / 8, 9]);
  expect(chunkBytes(2 * CHUNK + 3, 23)).toEqual(chunks.map(({ length }) => length));
});

import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { frameReader, frameWriter, KIND, MOST_DATA } from './frame.ts';

const key = randomBytes(32);
const frame = (tag: number, data: Uint8Array) => ({ kind: KIND.data, tag, data });

it('reads back the written frames, for any chunks of the stream', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 50 }), { minLength: 1, maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      (payloads, cuts) => {
        const write = frameWriter(key);
        const read = frameReader(key);
        const stream = Buffer.concat(payloads.map((data, tag) => write(frame(tag, data))));
        const found = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const end = at + cuts[i % cuts.length]!;
          found.push(...read(Uint8Array.from(stream.subarray(at, end))));
          at = end;
        }
        expect(found).toEqual(payloads.map((data, tag) => frame(tag, data)));
      },
    ),
    { seed: 4, numRuns: 100 },
  );
});

it('notices every changed bit, and frames that are repeated, left out, or of another session', () => {
  const write = frameWriter(key);
  const frames = [1, 2].map((tag) => write(frame(tag, Uint8Array.of(7, 8, 9))));
  const [first, second] = frames as [Uint8Array, Uint8Array];
  for (let bit = 0; bit < first.length * 8; bit++) {
    const bad = Uint8Array.from(first);
    bad[bit >> 3]! ^= 1 << (bit & 7);
    const read = frameReader(key);
    // A longer length is detected only when that many bytes have arrived.
    const come = () => [...read(bad), ...read(new Uint8Array(MOST_DATA + 100))];
    expect(come, `bit ${bit}`).toThrow(/a frame/);
  }
  const once = frameReader(key);
  expect(once(first)).toHaveLength(1);
  expect(() => once(first)).toThrow('whose code is wrong');
  expect(() => frameReader(key)(second)).toThrow('whose code is wrong');
  expect(() => frameReader(randomBytes(32))(first)).toThrow('whose code is wrong');
});

it('allocates nothing for a frame above the maximum length', () => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(MOST_DATA + 9);
  expect(() => frameReader(key)(length)).toThrow(`a frame of ${MOST_DATA + 9} bytes`);
});

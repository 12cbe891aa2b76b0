import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MessageFramer } from './message-framer.ts';

test('finds the end of every message, however the bytes are split', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 700 }), { maxLength: 5 }),
      fc.array(fc.nat({ max: 800 }), { minLength: 1, maxLength: 20 }),
      (lengths, pieces) => {
        const wire = Buffer.concat(
          lengths.map((length) => {
            const message = Buffer.alloc(5 + length, 0xff);
            message.writeUInt32BE(length, 1);
            return message;
          }),
        );
        /** End positions of the messages, the expected result. */
        const ends: number[] = [];
        for (const length of lengths) ends.push((ends.at(-1) ?? 0) + 5 + length);

        const framer = new MessageFramer();
        const completed: number[] = [];
        let at = 0;
        for (let turn = 0; at < wire.length; turn++) {
          const size = Math.max(1, pieces[turn % pieces.length]!);
          framer.feed(wire.subarray(at, at + size), completed);
          at = Math.min(wire.length, at + size);
          expect(completed).toHaveLength(ends.filter((end) => end <= at).length);
          expect(framer.partial).toBe(!ends.includes(at));
        }
        expect(completed).toEqual(lengths.map((length) => 5 + length));
      },
    ),
  );
});

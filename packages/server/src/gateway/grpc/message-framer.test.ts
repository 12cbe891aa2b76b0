import fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import { MessageReader } from './message-framer.ts';

test('reads every message, however the bytes are split', () => {
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

        const reader = new MessageReader(1000, () => false);
        const completed: Buffer[] = [];
        let at = 0;
        for (let turn = 0; at < wire.length; turn++) {
          const size = Math.max(1, pieces[turn % pieces.length]!);
          completed.push(...reader.write(wire.subarray(at, at + size)));
          at = Math.min(wire.length, at + size);
          expect(completed).toHaveLength(ends.filter((end) => end <= at).length);
          expect(reader.partial).toBe(!ends.includes(at));
        }
        expect(Buffer.concat(completed)).toEqual(wire);
        expect(completed.map(({ length }) => length - 5)).toEqual(lengths);
      },
    ),
  );
});

test('gives the memory of a message back when it is outgrown, and when its rest will not come', async () => {
  const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow');
  onTestFinished(() => allocate.mockRestore());
  const reader = new MessageReader(2 ** 26, () => false);
  const head = Buffer.alloc(2 ** 21);
  head.writeUInt32BE(2 ** 26, 1);
  reader.write(head);
  const frames = () => allocate.mock.results.map(({ value }) => value.buffer.detached as boolean);
  expect(frames()).toEqual([true, false]);
  const onFreed = vi.fn(() => expect(frames()).toEqual([true, true]));
  reader.free(onFreed);
  // It counts until then.
  expect(onFreed).not.toHaveBeenCalled();
  await expect.poll(() => onFreed.mock.calls).toHaveLength(1);
  expect(onFreed.mock.results[0]!.type).toBe('return');
});

test('has a mapping of its own for a message while much is held', () => {
  const message = Buffer.alloc(2 ** 20);
  message.writeUInt32BE(message.length - 5, 1);
  for (const isMuchHeld of [false, true]) {
    const [read] = new MessageReader(2 ** 26, () => isMuchHeld).write(message);
    expect((read!.buffer as ArrayBuffer).resizable).toBe(isMuchHeld);
  }
});

test('moves a large message only while little of it has arrived', () => {
  const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow');
  onTestFinished(() => allocate.mockRestore());
  const reader = new MessageReader(2 ** 26, () => false);
  const part = Buffer.alloc(2 ** 20);
  part.writeUInt32BE(2 ** 26 - 5, 1);
  for (let sent = 0; sent < 40; sent++) reader.write(part);
  expect(allocate.mock.calls).toEqual([[2 ** 20], [2 ** 22], [2 ** 26]]);
});

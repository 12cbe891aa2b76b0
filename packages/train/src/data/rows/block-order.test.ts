import { join } from 'node:path';
import { tensor, values, type NumericTensor } from '@skein/onnx';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { batcher } from '../batcher.ts';
import { dataset, loadRows } from '../dataset.ts';
import { blockOrder, blockReader, inOrder } from './block-order.ts';
import { openRowStore } from './file-rows.ts';
import { markedRows, rowSet } from './row-set.ts';
import { scatterRows } from './scatter.ts';
import { bytesPerRow, type RowStore, type StoredRows } from './stored.ts';

const store = openRowStore(join(testFolder(), 'scratch'), 0);
afterAll(() => store.close());

/** Rows in memory: the files have tests of their own. */
const memoryStore: RowStore = {
  limit: 0,
  create() {
    const parts: Uint8Array[] = [];
    return {
      append: (bytes) => void parts.push(bytes.slice()),
      finish() {
        const whole = Buffer.concat(parts);
        const read = (at: number, into: Uint8Array) => {
          into.set(whole.subarray(at, at + into.byteLength));
        };
        return { byteLength: whole.byteLength, descriptor: -1, read };
      },
    };
  },
  release: () => undefined,
};

const size = fc.integer({ min: 1, max: 400 });

it('visits each row once, in whatever pieces it is read, and depends on the seed alone', () => {
  fc.assert(
    fc.property(
      size,
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 6 }),
      fc.nat(),
      fc.integer({ min: 1, max: 50 }),
      (count, blockRows, windowBlocks, seed, batch) => {
        const order = blockOrder(count, blockRows, seed, windowBlocks);
        const again = blockOrder(count, blockRows, seed, windowBlocks);
        const whole = order.subarray();
        expect(whole.toSorted()).toEqual(inOrder(count).subarray());
        const pieces: number[] = [];
        for (let at = 0; at < count; at += batch) pieces.push(...again.subarray(at, at + batch));
        expect(pieces).toEqual([...whole]);
      },
    ),
    { numRuns: 200, seed: 1 },
  );
  const orders = [1, 2].map((seed) => [...blockOrder(1000, 10, seed, 4).subarray()]);
  expect(orders[0]).not.toEqual(orders[1]);
});

function storedNumbers(count: number, width: number): StoredRows {
  const numbers = Float32Array.from({ length: count * width }, (_, i) => i);
  const writer = store.create();
  writer.append(new Uint8Array(numbers.buffer));
  return { type: 'float32', shape: [count, width], bytes: writer.finish(), start: 0 };
}

it('reads each block of an epoch once', () => {
  const rows = storedNumbers(1003, 3);
  let reads = 0;
  const bytes = {
    ...rows.bytes,
    read(at: number, into: Uint8Array) {
      reads++;
      rows.bytes.read(at, into);
    },
  };
  const read = blockReader({ ...rows, bytes }, 10, 8);
  const into = new Uint8Array(bytesPerRow(rows));
  for (const row of blockOrder(1003, 10, 5, 8).subarray()) {
    read(row, into);
    expect([...new Float32Array(into.buffer)]).toEqual([row * 3, row * 3 + 1, row * 3 + 2]);
  }
  expect(reads).toBe(101);
});

it('scatters rows with their labels into a random order, and keeps rows that are held out in theirs', () => {
  fc.assert(
    fc.property(size, fc.nat(), fc.integer({ min: 40, max: 4000 }), (count, seed, bucketBytes) => {
      const labels = tensor(
        'int64',
        [count],
        BigInt64Array.from({ length: count }, (_, i) => BigInt(i)),
      );
      const held = Uint8Array.from({ length: count }, (_, i) => Number((i * 7) % 5 === 0));
      const parts = () => {
        const all = dataset({ x: storedNumbers(count, 2), labels });
        return scatterRows(all, { store: memoryStore, seed, held }, bucketBytes);
      };
      const [{ training, heldOut }, again] = [parts(), parts()];
      const inMemory = (of: typeof training | undefined, name: string) =>
        of === undefined
          ? []
          : [...(values(loadRows(of, [name]).tensors.get(name)!) as Iterable<number | bigint>)].map(
              Number,
            );
      const order = inMemory(training, 'labels');
      expect(order.toSorted((a, b) => a - b)).toEqual(
        [...held.keys()].filter((row) => held[row] === 0),
      );
      expect(inMemory(training, 'x')).toEqual(order.flatMap((row) => [row * 2, row * 2 + 1]));
      expect(inMemory(heldOut, 'labels')).toEqual(
        [...held.keys()].filter((row) => held[row] === 1),
      );
      expect(inMemory(again.training, 'labels')).toEqual(order);
    }),
    { numRuns: 40, seed: 3 },
  );
});

it('takes each row to each place equally often', () => {
  const count = 8;
  const rounds = 4000;
  const places = Array.from({ length: count }, () => new Float64Array(count));
  for (let seed = 0; seed < rounds; seed++) {
    const labels: NumericTensor = tensor(
      'int32',
      [count],
      Int32Array.from({ length: count }, (_, i) => i),
    );
    const { training } = scatterRows(
      dataset({ labels }),
      { store: memoryStore, seed: seed * 7919 },
      12,
    );
    const { bytes } = training.stored!.get('labels')!;
    const found = new Uint8Array(count * 4);
    bytes.read(0, found);
    new Int32Array(found.buffer).forEach((row, place) => places[row]![place]!++);
  }
  const wanted = rounds / count;
  const chi = places
    .flatMap((row) => [...row])
    .reduce((sum, n) => sum + (n - wanted) ** 2 / wanted, 0);
  // 49 degrees of freedom: a fair order is beyond this once in 100,000 times.
  expect(chi).toBeLessThan(105);
});

it('fills the same batches as rows in memory', () => {
  const rows = storedNumbers(50, 2);
  const numbers = Float32Array.from({ length: 100 }, (_, i) => i);
  const memory = batcher(dataset({ x: tensor('float32', [50, 2], numbers) }), {
    size: 8,
    inputs: ['x'],
    mask: 'mask',
  });
  const blocks = batcher(
    { ...dataset({ x: rows }), blockRows: 7 },
    { size: 8, inputs: ['x'], mask: 'mask' },
  );
  const order = blockOrder(50, 7, 2);
  for (let index = 0; index < 7; index++) {
    expect(blocks.fill(order, index)).toEqual(memory.fill(order, index));
  }
});

it('has the rows of a range, by their numbers or by marks', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ min: 0, max: 1, minLength: 1, maxLength: 60 }),
      fc.nat(60),
      fc.nat(60),
      (marks, a, b) => {
        const rows = [...marks.keys()].filter((row) => marks[row] === 1);
        const [from, to] = a < b ? [a, b] : [b, a];
        const wanted = rows
          .filter((row) => row >= from && row < Math.min(to, marks.length))
          .map((row) => row - from);
        for (const set of [rowSet(rows.toReversed()), markedRows(marks, 1)]) {
          expect([set.length, set.end]).toEqual([rows.length, (rows.at(-1) ?? -1) + 1]);
          for (let time = 0; time < 2; time++) expect([...set.within(from, to)]).toEqual(wanted);
        }
      },
    ),
    { numRuns: 200 },
  );
});

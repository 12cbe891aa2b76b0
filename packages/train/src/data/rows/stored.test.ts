/**
 * Rows in files equal rows in memory: every path through a file is compared with the one through
 * memory.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { seededRandom, tensor, type NumericTensor } from '@skein/onnx';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { fitArrayEncoding } from '../encoding/array-encoding.ts';
import { inMemory } from './array-rows.ts';
import { batcher } from '../batcher.ts';
import { columnSink } from '../table/column-sink.ts';
import { dataset, selectRows } from '../dataset.ts';
import { encodeRows, fitEncoder } from '../encoding/encoder.ts';
import { openRowStore } from './file-rows.ts';
import { readIdx } from '../formats/idx.ts';
import { parseNpy, storedNpy } from '../formats/npy.ts';
import { parseNpz, storedNpz } from '../formats/npz.ts';
import { isStored, type StoredRows } from './stored.ts';
import { completeRows, selectTableRows, type Table } from '../table/table.ts';
import { readCsv } from '../table/read-table.ts';

const folder = testFolder();
/** A limit of memory that no rows fit into. */
const store = openRowStore(join(folder, 'scratch'), 0);
afterAll(() => {
  store.close();
});

function written(name: string, bytes: Uint8Array) {
  writeFileSync(join(folder, name), bytes);
  return store.open(join(folder, name));
}

function rowsOf(found: NumericTensor | StoredRows | undefined): StoredRows {
  if (found === undefined || !isStored(found)) throw new Error('It is in memory.');
  return found;
}

interface Fixture {
  readonly cases: readonly {
    readonly type: string;
    readonly shape: number[];
    readonly npy: string;
  }[];
  readonly archives: readonly { readonly npz: string }[];
}
const numpy = JSON.parse(
  readFileSync(new URL('../formats/fixtures/numpy.json', import.meta.url), 'utf8'),
) as Fixture;
const bytesOf = (base64: string) => Uint8Array.from(Buffer.from(base64, 'base64'));

describe('arrays', () => {
  it.each(numpy.cases.filter(({ shape }) => shape.length > 0))(
    'of NumPy, $type $shape',
    ({ shape, npy }) => {
      const whole = bytesOf(npy);
      const rows = storedNpy(written('a.npy', whole), { store });
      expect(inMemory(rows)).toEqual(parseNpy(whole));
      const cut = written('cut.npy', whole.subarray(0, whole.byteLength - 1));
      expect(() => storedNpy(cut, { store })).toThrow(shape.includes(0) ? 'cut off' : 'but holds');
    },
  );

  it.each(numpy.archives)('of an archive of NumPy', async ({ npz }) => {
    const whole = bytesOf(npz);
    const stored = await storedNpz(written('a.npz', whole), store);
    const wanted = await parseNpz(whole);
    expect([...stored.keys()]).toEqual([...wanted.keys()]);
    for (const [name, each] of wanted) {
      expect(inMemory(rowsOf(stored.get(name)))).toEqual({
        ...each,
        bytes: new Uint8Array(each.bytes),
      });
    }
    await expect(storedNpz(written('b.npz', whole.subarray(0, -30)), store)).rejects.toThrow('ZIP');
    const changed = whole.with(whole.byteLength >> 1, whole[whole.byteLength >> 1]! ^ 1);
    await expect(storedNpz(written('c.npz', changed), store)).rejects.toThrow('damaged');
  });

  it('of the MNIST family, packed or not, with elements of any type', async () => {
    const header = (code: number) => [0, 0, code, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2];
    for (const [code, size] of [
      [0x08, 1],
      [0x0b, 2],
      [0x0e, 8],
    ] as const) {
      const elements = Array.from({ length: 6 * size }, (_, i) => (i * 41) % 256);
      const whole = Uint8Array.from([...header(code), ...elements]);
      const wanted = await readIdx(whole);
      for (const bytes of [whole, new Uint8Array(gzipSync(whole))]) {
        expect(inMemory(rowsOf(await readIdx(bytes, store)))).toEqual(wanted);
      }
      await expect(readIdx(whole.subarray(0, -1), store)).rejects.toThrow('but holds');
    }
  });

  it('have the same encoding', () => {
    const random = seededRandom(1);
    const numbers = Float32Array.from({ length: 60 }, () => random.next());
    const array = tensor('float32', [20, 3], numbers);
    const writer = store.create();
    writer.append(array.bytes);
    const rows: StoredRows = { type: 'float32', shape: [20, 3], bytes: writer.finish(), start: 0 };
    const how = { scaling: 'standard', rows: [7, 3, 11, 2] } as const;
    expect(fitArrayEncoding(rows, how)).toEqual(fitArrayEncoding(array, how));
  });
});

it('columns are the same in memory, in groups of a file, and across the limit between them', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9000 }),
      fc.integer({ min: 1, max: 70 }),
      fc.integer({ min: 0, max: 60_000 }),
      fc.nat(),
      fc.nat(),
      (count, width, limit, a, b) => {
        const spilling = columnSink(width, { ...store, limit });
        const row = new Float64Array(width);
        for (let i = 0; i < count; i++) {
          for (let at = 0; at < width; at++) row[at] = i * 100 + at;
          spilling.push(row);
        }
        const { columns, stored } = spilling.finish();
        expect(stored).toBe(count * width * 8 > limit);
        const [from, to] = [a % (count + 1), b % (count + 1)].sort((x, y) => x - y) as [
          number,
          number,
        ];
        columns.forEach((column, at) => {
          const found = column.read(from, to);
          expect(found.length).toBe(to - from);
          const flaw = found.findIndex((number, i) => number !== (from + i) * 100 + at);
          expect(flaw).toBe(-1);
        });
      },
    ),
    { seed: 2, numRuns: 30 },
  );
});

describe('tables', () => {
  const random = seededRandom(8);
  const lines = Array.from({ length: 5000 }, (_, i) => {
    const gap = i % 11 === 3;
    const city = ['Berlin', 'Paris', 'Oslo', 'Rome'][Math.floor(random.next() * 4)]!;
    const late = i < 40 ? '' : String(random.next() * 9);
    return `${gap ? '' : random.next()},${i % 17 === 5 ? 'NA' : city},${late},${random.next() - 0.5},${i % 3 ? 'a' : 'b'}`;
  });
  const text = new TextEncoder().encode(['x,city,late,y,class', ...lines].join('\n'));
  const plain = ({ columns, count }: Table) => ({
    count,
    columns: columns.map((column) =>
      column.kind === 'number'
        ? { name: column.name, values: column.values }
        : { name: column.name, codes: column.codes, categories: column.categories },
    ),
  });

  it('are read, selected and encoded alike', async () => {
    const memory = await readCsv(text, { missing: 'keep' });
    const stored = await readCsv(text, { missing: 'keep', store });
    expect(stored.store).toBe(store);
    expect(plain(stored)).toEqual(plain(memory));
    const names = ['x', 'city', 'late', 'class'];
    const rows = completeRows(memory, names);
    expect(completeRows(stored, names)).toEqual(rows);
    expect(rows.length).toBeLessThan(5000 - 40);
    for (const some of [rows, Uint32Array.of(4999, 3, 4998, 50)]) {
      const selected = selectTableRows(stored, some);
      expect(plain(selected)).toEqual(plain(selectTableRows(memory, some)));
    }
    for (const target of ['y', 'class']) {
      const options = { target, rows: rows.slice(0, 900).reverse(), missing: 'mean' } as const;
      const encoder = fitEncoder(memory, options);
      expect(fitEncoder(stored, options)).toEqual(encoder);
      const wanted = encodeRows(memory, encoder);
      const found = encodeRows(stored, encoder);
      expect(found.tensors.get('labels')).toEqual(wanted.tensors.get('labels'));
      expect(inMemory(found.stored!.get('features')!)).toEqual(wanted.tensors.get('features'));
    }
  });
});

it('batches are the same, of all rows or of some', () => {
  const random = seededRandom(4);
  const x = tensor(
    'float32',
    [50, 3],
    Float32Array.from({ length: 150 }, () => random.next()),
  );
  const y = tensor(
    'int64',
    [50],
    BigInt64Array.from({ length: 50 }, (_, i) => BigInt(i)),
  );
  const writer = store.create();
  writer.append(Uint8Array.of(1, 2, 3));
  writer.append(x.bytes);
  const rows: StoredRows = { type: 'float32', shape: [50, 3], bytes: writer.finish(), start: 3 };
  const [memory, stored] = [dataset({ x, y }), dataset({ x: rows, y })];
  const some = Uint32Array.from({ length: 30 }, (_, i) => (i * 7) % 50);
  const again = Uint32Array.of(29, 0, 3, 3, 12);
  for (const [a, b] of [
    [memory, stored],
    [selectRows(memory, some), selectRows(stored, some)],
    [selectRows(selectRows(memory, some), again), selectRows(selectRows(stored, some), again)],
  ] as const) {
    expect(b.count).toBe(a.count);
    const of = { size: 4, inputs: ['x', 'y'], mask: 'w' };
    const [wanted, found] = [batcher(a, of), batcher(b, of)];
    const order = Uint32Array.from({ length: a.count }, (_, i) => a.count - 1 - i);
    for (let index = 0; index < wanted.count; index++) {
      expect(found.fill(order, index)).toEqual(wanted.fill(order, index));
    }
  }
  expect(() => dataset({ x: rows, y: tensor('uint8', [3], new Uint8Array(3)) })).toThrow(
    "'x' has 50 rows, but 'y' has 3 rows",
  );
  expect(() => batcher(stored, { size: 5, inputs: ['z'] })).toThrow("only 'y', 'x'");
});

it('leaves no file behind, and reports when one was cut off while it was read', () => {
  expect(existsSync(join(folder, 'scratch'))).toBe(true);
  expect(readdirSync(join(folder, 'scratch'))).toEqual([]);
  const bytes = written('short', new Uint8Array(8));
  writeFileSync(join(folder, 'short'), new Uint8Array(3));
  expect(() => bytes.read(0, new Uint8Array(8))).toThrow('has become shorter');
});

import { MessageChannel, Worker } from 'node:worker_threads';
import { tensor, values, type NumericTensor, type TensorMap } from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import { SharedRows, takeRows } from './shared-rows.ts';

const feeds = (...numbers: number[]): TensorMap =>
  new Map<string, NumericTensor>([
    [
      'x',
      tensor('float32', [numbers.length, 2], Float32Array.from(numbers.flatMap((n) => [n, -n]))),
    ],
    ['id', tensor('int64', [numbers.length], BigInt64Array.from(numbers, BigInt))],
  ]);

const sevens = (rows: number): TensorMap => feeds(...Array.from({ length: rows }, () => 7));

function taken(rows: SharedRows, layout: Parameters<typeof takeRows>[1]) {
  return takeRows(rows.memory, layout)?.map(([name, given]) => [
    name,
    given.shape,
    Array.from(values(given) as Iterable<unknown>, Number),
  ]);
}

describe('rows that two threads share', () => {
  it('are taken in the order in which they were added, input by input', () => {
    const rows = new SharedRows();
    const { layout, isNew } = rows.open(feeds(1))!;
    expect(isNew).toBe(true);
    expect(rows.add(layout, feeds(2, 3))).toBe(true);
    expect(taken(rows, layout)).toEqual([
      ['x', [3, 2], [1, -1, 2, -2, 3, -3]],
      ['id', [3], [1, 2, 3]],
    ]);
    expect(rows.add(layout, feeds(4))).toBe(false);
    expect(rows.withdraw()).toBe(false);
    const again = rows.open(feeds(5))!;
    expect(again.isNew).toBe(false);
    expect(taken(rows, again.layout)).toEqual([
      ['x', [1, 2], [5, -5]],
      ['id', [1], [5]],
    ]);
  });

  it('are none when they were withdrawn, and none are opened until that is known', () => {
    const rows = new SharedRows();
    const { layout } = rows.open(feeds(1))!;
    expect(rows.withdraw()).toBe(true);
    expect(rows.add(layout, feeds(2))).toBe(false);
    expect(rows.open(feeds(2))).toBeUndefined();
    expect(taken(rows, layout)).toBeUndefined();
    expect(rows.open(feeds(2))).toBeDefined();
  });

  it('have one shape and type, fill their memory, and no more than it holds', () => {
    const rows = new SharedRows();
    const { layout } = rows.open(feeds(1))!;
    const x = feeds(1).get('x')!;
    const others: TensorMap[] = [
      new Map([['x', x]]),
      new Map([...feeds(1), ['more', x]]),
      new Map([...feeds(1), ['id', tensor('int32', [1], Int32Array.of(1))]]),
      new Map([...feeds(1), ['x', tensor('float32', [1, 3], new Float32Array(3))]]),
      new Map([...feeds(1), ['x', { ...x, bytes: new Uint8Array(4) } as NumericTensor]]),
      new Map([...feeds(1), ['id', tensor('int64', [2], new BigInt64Array(2))]]),
      sevens(layout.capacity),
    ];
    for (const other of others) expect(rows.add(layout, other)).toBe(false);
    expect(rows.add(layout, sevens(layout.capacity - 1))).toBe(true);
    expect(takeRows(rows.memory, layout)![0]![1].shape).toEqual([layout.capacity, 2]);
  });

  it.each([
    [
      'texts',
      new Map([['x', { type: 'string' as const, shape: [1], elements: [Buffer.from('a')] }]]),
    ],
    ['no first dimension', new Map([['x', tensor('float32', [], new Float32Array(1))]])],
    [
      'rows of more bytes than two fit',
      new Map([['x', tensor('uint8', [1, 2 ** 17], new Uint8Array(2 ** 17))]]),
    ],
    ['rows of no bytes', new Map([['x', tensor('uint8', [1, 0], new Uint8Array(0))]])],
    ['no inputs', new Map()],
  ])('are refused for inputs with %s', (_, given: TensorMap) => {
    expect(new SharedRows().open(given)).toBeUndefined();
  });

  it('reach the other thread once each, whenever it takes them', { timeout: 60_000 }, async () => {
    const rows = new SharedRows();
    const { port1: port, port2 } = new MessageChannel();
    const worker = new Worker(new URL('./testing/taker.ts', import.meta.url), {
      workerData: port2,
      transferList: [port2],
    });
    const seen: number[] = [];
    port.on('message', (ids: number[]) => void seen.push(...ids));
    const sent: number[] = [];
    let id = 0;
    for (let turn = 0; turn < 2000; turn++) {
      const opened = rows.open(feeds(id));
      if (opened === undefined) {
        await new Promise(setImmediate);
        continue;
      }
      sent.push(id++);
      port.postMessage([rows.memory, opened.layout]);
      // Until it takes them, at whatever moment that is.
      while (rows.add(opened.layout, feeds(id))) sent.push(id++);
      id++;
    }
    await expect.poll(() => seen.length).toBe(sent.length);
    expect(seen).toEqual(sent);
    expect(sent.length).toBeGreaterThan(100);
    port.close();
    await worker.terminate();
  });
});

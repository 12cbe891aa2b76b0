import type { Tensor } from '@skein/onnx';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeFrame, type Frame, FrameReader } from './frame.ts';
import { bytesBudget } from './testing/bytes-budget.ts';
import { framesIn } from './testing/frames-in.ts';

const text = new TextEncoder();
const MEMORY = bytesBudget(1e9).hold('t');
const numeric = fc
  .tuple(fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }), fc.constantFrom(1, 2, 4, 8))
  .chain(([shape, size]) => {
    const count = shape.reduce((product, length) => product * length, 1);
    const type = ({ 1: 'uint8', 2: 'float16', 4: 'float32', 8: 'int64' } as const)[size as 1];
    return fc
      .uint8Array({ minLength: count * size, maxLength: count * size })
      .map((bytes): Tensor => ({ type, shape, bytes }));
  });
const strings = fc
  .array(fc.string({ unit: 'grapheme' }), { maxLength: 5 })
  .map((words): Tensor => ({
    type: 'string',
    shape: [words.length],
    elements: words.map((word) => text.encode(word)),
  }));
const tensors = fc.array(fc.tuple(fc.string(), fc.oneof(numeric, strings)), { maxLength: 4 });

/** Plain values, for comparison. */
const plain = (map: ReadonlyMap<string, Tensor>) =>
  [...map].map(([name, tensor]) => [
    name,
    tensor.type,
    [...tensor.shape],
    tensor.type === 'string' ? tensor.elements.map((element) => [...element]) : [...tensor.bytes],
  ]);

const lengths = (head: number, body: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(head, 0);
  bytes.writeUInt32LE(body, 4);
  return bytes;
};

describe('frames', () => {
  test('arrive as they were sent, however the connection cuts them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.dictionary(fc.string(), fc.string()), tensors), { maxLength: 3 }),
        fc.integer({ min: 1, max: 50 }),
        (sent, cut) => {
          const frames = sent.map(([meta, list]) => ({ meta: { meta }, map: new Map(list) }));
          const bytes = Buffer.concat(frames.flatMap(({ meta, map }) => encodeFrame(meta, map)));
          const reader = new FrameReader<object>(1e6, MEMORY);
          const received: Frame<object>[] = [];
          for (let at = 0; at < bytes.length; at += cut) {
            received.push(...framesIn(reader, bytes.subarray(at, at + cut)));
          }
          expect(reader.heldBytes).toBe(0);
          expect(received.map(({ meta }) => meta)).toEqual(frames.map(({ meta }) => meta));
          expect(received.map((frame) => plain(frame.tensors))).toEqual(
            frames.map(({ map }) => plain(map)),
          );
        },
      ),
    );
  });

  test('that are large arrive as they were sent, with what follows them', () => {
    const large = Float32Array.from({ length: 700_000 }, (_, i) => i);
    const tensor = { type: 'float32', shape: [large.length], bytes: new Uint8Array(large.buffer) };
    const other = { ...tensor, bytes: new Uint8Array(large.map((value) => -value).buffer) };
    const [one, two] = [tensor, other].map((x) =>
      encodeFrame({ id: 'large' }, new Map([['x', x as Tensor]])),
    );
    const sent = Buffer.concat([...one!, ...encodeFrame({ id: 'next' }), ...two!]);
    const cuts = [7, 16_384, 100_003, 1_000_000, sent.byteLength];
    for (const cut of cuts) {
      const reader = new FrameReader<{ readonly id: string }>(1e8, MEMORY);
      const received: Frame<{ readonly id: string }>[] = [];
      for (let at = 0; at < sent.byteLength; at += at < 100 ? 7 : cut) {
        received.push(...framesIn(reader, sent.subarray(at, at + (at < 100 ? 7 : cut))));
      }
      expect(received.map(({ meta }) => meta.id)).toEqual(['large', 'next', 'large']);
      for (const [index, { bytes: expected }] of [tensor, tensor, other].entries()) {
        if (index === 1) continue;
        const { bytes } = received[index]!.tensors.get('x') as { readonly bytes: Uint8Array };
        expect(Buffer.compare(bytes, expected)).toBe(0);
      }
      expect(reader.heldBytes).toBe(0);
    }
  });

  test('have aligned tensors, whatever precedes them', () => {
    const one = { type: 'uint8', shape: [3], bytes: Uint8Array.of(1, 2, 3) } as const;
    const two = {
      type: 'float64',
      shape: [1],
      bytes: new Uint8Array(Float64Array.of(0.5).buffer),
    } as const;
    const parts = encodeFrame(
      { id: 'x' },
      new Map<string, Tensor>([
        ['a', one],
        ['b', two],
      ]),
    );
    const [frame] = framesIn(new FrameReader(1e6, MEMORY), Buffer.concat(parts));
    const { bytes } = frame!.tensors.get('b') as typeof two;
    expect(bytes.byteOffset % 8).toBe(0);
    expect(new Float64Array(bytes.buffer, bytes.byteOffset, 1)[0]).toBe(0.5);
  });

  test('that are no frames, or too large, are refused before their body is held', () => {
    const read = (bytes: Buffer, maxBytes = 1000): unknown => [
      ...framesIn(new FrameReader(maxBytes, MEMORY), bytes),
    ];
    expect(() => read(lengths(8, 2000))).toThrow('larger than allowed');
    expect(() => read(lengths(0xffff_ffff, 0), 2 ** 40)).toThrow('larger than allowed');
    expect(read(lengths(8, 984))).toEqual([]);
    expect(() => read(lengths(8, 985))).toThrow('larger than allowed');
    expect(() => read(Buffer.concat([lengths(8, 0), Buffer.from('{"a":1  ')]))).toThrow('JSON');
    const tensor = (entry: unknown): Buffer => {
      const json = JSON.stringify({ tensors: [entry] });
      const head = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
      return Buffer.concat([lengths(head.length, 0), head]);
    };
    expect(() => read(tensor(['x', 'float32', [1], 4]))).toThrow('longer than its message');
    expect(() => read(tensor(['x', 'float32', [2], 4]))).toThrow('not the size of its shape');
    expect(() => read(tensor(['x', 'string', [1000], 4]))).toThrow('longer than its message');
    for (const length of [-8, 'x']) {
      expect(() => read(tensor(['x', 'string', [0], length]))).toThrow('longer than its message');
    }
    for (const size of [-1, 0.5, null, '1']) {
      expect(() => read(tensor(['x', 'float32', [size], 4]))).toThrow('has no shape');
    }
  });

  test('of strings that take more memory than is free are not decoded', () => {
    const elements = Array.from({ length: 1000 }, () => new Uint8Array(0));
    const many: Tensor = { type: 'string', shape: [1000], elements };
    const bytes = Buffer.concat(encodeFrame({}, new Map([['x', many]])));
    const read = (max: number): Frame<object>[] => [
      ...framesIn(new FrameReader<object>(1e6, bytesBudget(max).hold('t')), bytes),
    ];
    expect(bytes.byteLength).toBeLessThan(5000);
    expect(() => read(100_000)).toThrow(expect.objectContaining({ code: 'BODIES_TOO_LARGE' }));
    expect(read(200_000)[0]!.heldBytes).toBe(bytes.byteLength + 128_000);
  });

  test('of more strings than one turn of the event loop can read are refused', () => {
    const most = 2 ** 18;
    const read = (sizes: readonly number[]): number => {
      const tensors = sizes.map((size, index) => [`x${index}`, 'string', [size], 0]);
      const json = JSON.stringify({ tensors });
      const head = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
      const body = Buffer.alloc(sizes.reduce((sum, size) => sum + 4 * size, 0));
      const bytes = Buffer.concat([lengths(head.length, body.length), head, body]);
      const [frame] = framesIn(new FrameReader<object>(2 ** 24, MEMORY, most), bytes);
      return frame!.tensors.size;
    };
    expect(read([most - 2, 2])).toBe(2);
    expect(() => read([most, 2])).toThrow('more than 262144 strings');
  });

  test('that are given up, or are no frames, free the memory that was taken for them at once', () => {
    const size = 2 ** 28;
    const lengths = Buffer.alloc(8);
    lengths.writeUInt32LE(8, 0);
    lengths.writeUInt32LE(size, 4);
    const part = Buffer.alloc(size / 4);
    const taken = (): number => process.memoryUsage().arrayBuffers;
    const reader = new FrameReader<object>(2 ** 30, MEMORY);
    const idle = taken();
    for (const bytes of [lengths, part.subarray(0, size / 16)]) {
      for (const _ of framesIn(reader, bytes)) void _;
    }
    // The part that has arrived is too small.
    expect(taken() - idle).toBeLessThan(size / 2);
    for (const bytes of [part]) for (const _ of framesIn(reader, bytes)) void _;
    const begun = taken();
    reader.drop();
    expect(begun - taken()).toBeGreaterThan(0.9 * size);
    expect(reader.heldBytes).toBe(0);
    const other = new FrameReader<object>(2 ** 30, MEMORY);
    const whole = [lengths, part, part, part, part, Buffer.alloc(8)];
    const before = taken();
    expect(() => {
      for (const bytes of whole) for (const _ of framesIn(other, bytes)) void _;
    }).toThrow('JSON');
    expect(taken() - before).toBeLessThan(size / 2);
  });

  test('random bytes end in an error or in nothing, and never hang', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          for (const _ of framesIn(new FrameReader(1e6, MEMORY), Buffer.from(bytes))) void _;
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
    );
  });
});

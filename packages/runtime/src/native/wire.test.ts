import { stringTensor, type Tensor } from '@skein/onnx';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { float32 } from '../testing/models.ts';
import { freeLarge, fromWire, toWire } from './wire.ts';

/** Receives a message on the other side of a worker's channel. */
function send(tensor: Tensor): Tensor {
  const moved: ArrayBuffer[] = [];
  const wire = toWire(tensor, moved);
  return fromWire(structuredClone(wire, { transfer: moved }));
}

describe('wire', () => {
  it('moves a buffer that a tensor covers, and does not copy it', () => {
    const tensor = float32([2], 1, 2);
    expect(send(tensor)).toEqual(float32([2], 1, 2));
    expect(tensor.bytes.byteLength).toBe(0);
  });

  it('cuts a view out of its buffer, which stays', () => {
    const body = new Uint8Array(1000).fill(1);
    const tensor = { type: 'uint8' as const, shape: [10], bytes: body.subarray(500, 510) };
    const moved: ArrayBuffer[] = [];
    toWire(tensor, moved);
    expect(moved.map(({ byteLength }) => byteLength)).toEqual([10]);
    expect(send(tensor)).toEqual({ ...tensor, bytes: new Uint8Array(10).fill(1) });
    expect(body.byteLength).toBe(1000);
  });

  it('sends an empty tensor any number of times', () => {
    const empty = float32([0]);
    expect(send(empty)).toEqual(float32([0]));
    expect(send(empty)).toEqual(float32([0]));
  });

  it('copies nothing on a channel without transfer', () => {
    const tensor = float32([2], 1, 2);
    expect(toWire(tensor, undefined)).toBe(tensor);
  });

  it('gives any byte strings back', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), (elements) => {
        const arrived = send(stringTensor([elements.length], elements));
        expect(arrived).toEqual(stringTensor([elements.length], elements));
      }),
    );
  });

  it('sends only the bytes of strings cut out of a large body', () => {
    const body = new Uint8Array(1_000_000);
    const words = Array.from({ length: 100 }, (_, i) => body.subarray(i * 10, i * 10 + 5));
    const moved: ArrayBuffer[] = [];
    toWire(stringTensor([100], words), moved);
    expect(moved.reduce((total, { byteLength }) => total + byteLength, 0)).toBe(500 + 400);
  });

  it('frees what is large, whole and not sent', () => {
    const [unused, sent, part, small] = [70_000, 70_000, 70_000, 7].map(
      (size) => new Uint8Array(size),
    );
    freeLarge([unused!, sent!, part!.subarray(1), small!], [sent!.buffer]);
    const buffers = [unused, sent, part, small].map((bytes) => bytes!.buffer.detached);
    expect(buffers).toEqual([true, false, false, false]);
  });
});

import { expect, test } from 'vitest';
import { freeing } from './freeing.ts';

test('memory that a job has received is given back unless its result has it', () => {
  const [kept, unused] = [new Uint8Array(9), new Uint8Array(8)];
  freeing([kept, unused], () => ({
    result: { kept },
    transfer: [kept.buffer, new ArrayBuffer(3)],
  }));
  expect([kept.buffer.detached, unused.buffer.detached]).toEqual([false, true]);
});

test('memory that a job has received is given back when it fails', () => {
  const received = new Uint8Array(8);
  const fail = (): never => {
    throw new Error('No JSON.');
  };
  expect(() => freeing([received], fail)).toThrow('No JSON.');
  expect(received.buffer.detached).toBe(true);
});

import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { SharedReading } from './shared-reading.ts';

/** A socket that records whether it is read. */
function fake(reading = true) {
  const handle = { reading, isRead: reading, readStart, readStop };
  function readStart(): void {
    handle.isRead = true;
  }
  function readStop(): void {
    handle.isRead = false;
  }
  return { _handle: handle } as unknown as Socket & { readonly _handle: typeof handle };
}

const read = (...sockets: ReturnType<typeof fake>[]) =>
  sockets.map(({ _handle }) => _handle.isRead);

test('what was read before the stop is read again once the others had a turn without one', async () => {
  const [a, b, c] = [fake(), fake(), fake()];
  const reading = new SharedReading();
  for (const socket of [a, b, c]) reading.add(socket);
  reading.note(a);
  expect(reading.stop()).toBe(true);
  expect(reading.stop()).toBe(false);
  expect(read(a, b, c)).toEqual([false, false, false]);
  await turn();
  reading.start();
  expect(read(a, b, c)).toEqual([false, true, true]);
  reading.note(b);
  reading.stop();
  await turn();
  reading.start();
  expect(read(a, b, c)).toEqual([false, false, true]);
  await turn();
  expect(read(a, b, c)).toEqual([true, true, true]);
});

test('what was read in a turn without a stop starts with the others', async () => {
  const [a, b] = [fake(), fake()];
  const reading = new SharedReading();
  for (const socket of [a, b]) reading.add(socket);
  reading.note(a);
  await turn();
  reading.stop();
  reading.start();
  expect(read(a, b)).toEqual([true, true]);
});

test('a socket that comes during the stop is not read, and one that is released is', () => {
  const [a, b] = [fake(), fake()];
  const reading = new SharedReading();
  reading.add(a);
  reading.stop();
  reading.add(b);
  expect(read(a, b)).toEqual([false, false]);
  reading.release(a);
  reading.start();
  expect(read(a, b)).toEqual([true, true]);
});

test('a socket that its stream does not read is not started', () => {
  const [read, paused] = [fake(), fake(false)];
  const reading = new SharedReading();
  for (const socket of [read, paused]) reading.add(socket);
  reading.stop();
  reading.start();
  expect([read, paused].map(({ _handle }) => _handle.isRead)).toEqual([true, false]);
});

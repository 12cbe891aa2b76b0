import { execFileSync } from 'node:child_process';
import { expect, test, vi } from 'vitest';
import { SkeinError } from './errors.ts';
import { LARGE_BYTES, OwnedMemory } from './owned-memory.ts';
import { SharedBudget } from './shared-budget.ts';

const budgetOf = () =>
  new SharedBudget({
    name: 'bodies',
    unit: 'bytes',
    max: 1000,
    refuse: () => new SkeinError('BODIES_TOO_LARGE', 'Too much.'),
  });

test('is freed by its last user, in whatever order they leave, and not before', async () => {
  const onFree = vi.fn();
  const memory = new OwnedMemory(budgetOf().hold('a'), onFree);
  const [body, decoded] = [new Uint8Array(LARGE_BYTES), new Uint8Array(3 * LARGE_BYTES)];
  memory.add(body.subarray(9));
  memory.add(decoded);
  memory.add(decoded.subarray(1, 2));
  const [face, copy] = [memory.retain(), memory.retain()];
  face();
  face();
  expect([memory.isFreed, body.buffer.detached]).toEqual([false, false]);
  copy();
  expect(memory.isFreed).toBe(true);
  // It counts until the memory is gone.
  expect(onFree).not.toHaveBeenCalled();
  await expect.poll(() => onFree.mock.calls).toHaveLength(1);
  expect([body.buffer.detached, decoded.buffer.detached]).toEqual([true, true]);
  memory.retain()();
  expect(onFree).toHaveBeenCalledOnce();
});

test('does not free what has moved to a thread, nor waits for it', async () => {
  const onFree = vi.fn();
  const memory = new OwnedMemory(budgetOf().hold('a'), onFree);
  const [moves, stays] = [new Uint8Array(LARGE_BYTES), new Uint8Array(LARGE_BYTES)];
  memory.add(moves);
  memory.add(stays);
  const moved = structuredClone(moves, { transfer: [moves.buffer] });
  memory.retain()();
  await expect.poll(() => onFree.mock.calls).toHaveLength(1);
  expect([moved.buffer.detached, stays.buffer.detached]).toEqual([false, true]);
});

test('counts no more, and is not freed, where it is left to V8', async () => {
  const onFree = vi.fn();
  const memory = new OwnedMemory(budgetOf().hold('a'), onFree);
  const body = new Uint8Array(LARGE_BYTES);
  memory.add(body);
  const release = memory.retain();
  memory.leaveToV8();
  expect(onFree).not.toHaveBeenCalled();
  release();
  expect(onFree).toHaveBeenCalledOnce();
  await new Promise(setImmediate);
  expect(body.buffer.detached).toBe(false);
});

test('leaves small buffers, which may have other users, to V8', async () => {
  const onFree = vi.fn();
  const memory = new OwnedMemory(budgetOf().hold('a'), onFree);
  const read = new Uint8Array(LARGE_BYTES - 1);
  memory.add(read);
  memory.retain()();
  expect(onFree).toHaveBeenCalledOnce();
  await new Promise(setImmediate);
  expect(read.buffer.detached).toBe(false);
});

test('counts copies for their tenant, over its limit, until they are gone', () => {
  const budget = budgetOf();
  const memory = new OwnedMemory(budget.hold('a'));
  const [first, second] = [memory.countCopy(800), memory.countCopy(700)];
  expect(budget.heldBy('a')).toBe(1500);
  expect(() => budget.take('a', 1)).toThrow('Too much.');
  memory.retain()();
  first();
  first();
  expect(budget.heldBy('a')).toBe(700);
  second();
  expect(budget.held).toBe(0);
});

/** A flood of bodies with a small block above each, all of them freed. Prints how many MiB the process keeps. */
const FLOOD = `
import { allocate, freePiece } from ${JSON.stringify(new URL('./owned-memory.ts', import.meta.url))};
const MIB = 2 ** 20;
// The C library has seen one of this size.
freePiece(Buffer.allocUnsafeSlow(30 * MIB));
const before = process.memoryUsage.rss();
const above = [];
const bodies = Array.from({ length: 40 }, () => {
  const body = allocate(6 * MIB, process.argv[1] === 'much').fill(1);
  above.push(Buffer.allocUnsafeSlow(200_000));
  return body;
});
bodies.forEach(freePiece);
console.log(Math.round((process.memoryUsage.rss() - before) / MIB));
`;

test('a body that is freed while much is held goes back to the system, whatever lies above it', () => {
  const args = ['--input-type=module-typescript', '--eval', FLOOD, 'much'];
  expect(Number(execFileSync(process.execPath, args, { encoding: 'utf8' }))).toBeLessThan(40);
});

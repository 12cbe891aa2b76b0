import { OwnedMemory } from '@skein/api/owned-memory';
import { SkeinError } from '@skein/api';
import { SharedBudget } from '@skein/api/shared-budget';
import { stringTensor, tensor, type NumericTensor } from '@skein/onnx';
import type { RunResult } from '@skein/runtime';
import { expect, test, vi } from 'vitest';
import type { Ticket } from '../queue/ticket.ts';
import { request } from '../testing/harness.ts';
import { BatchRun } from './batch-run.ts';
import type { Pending } from './pending.ts';
import type { Replica } from './replica.ts';

const MIB = 2 ** 20;
/** Joined in several turns of the event loop. */
const ROWS = 4 * MIB;
const RESULT: RunResult = { outputs: new Map(), inputMs: 0, computeMs: 0, outputMs: 0 };

const budgetOf = () =>
  new SharedBudget({
    name: 'bodies',
    unit: 'bytes',
    max: 1024 * MIB,
    refuse: () => new SkeinError('BODIES_TOO_LARGE', 'Too much.'),
  });

function requestOf(value: number, budget: SharedBudget) {
  const x = tensor('float32', [ROWS], new Float32Array(ROWS).fill(value));
  const memory = new OwnedMemory(budget.hold('a'));
  memory.add(x.bytes);
  return { of: request(x, { memory }), memory, bytes: x.bytes, release: memory.retain() };
}

const runOf = (...requests: { readonly of: ReturnType<typeof request> }[]): BatchRun =>
  new BatchRun(
    requests.map(
      ({ of }) =>
        ({
          rows: ROWS,
          deadline: 0,
          payload: { request: of, failsAt: Infinity },
        }) as Ticket<Pending>,
    ),
    performance.now(),
  );

test('a run reads the inputs of a request that has left while it joins them, and frees them then', async () => {
  const budget = budgetOf();
  const [stays, leaves] = [requestOf(1, budget), requestOf(2, budget)];
  const run = vi.fn<Replica['run']>(() => Promise.resolve(RESULT));
  const ran = runOf(stays, leaves).start({ run } as unknown as Replica, ['x'], performance);
  // Its caller has left: the face frees what it has.
  leaves.release();
  await ran;
  expect(leaves.memory.isFreed).toBe(true);
  expect(stays.memory.isFreed).toBe(false);
  const joined = run.mock.calls[0]![0].get('x') as NumericTensor;
  const floats = new Float32Array(joined.bytes.buffer);
  expect([floats[0], floats[ROWS - 1], floats[ROWS], floats.at(-1)]).toEqual([1, 1, 2, 2]);
  await expect.poll(() => leaves.bytes.buffer).toMatchObject({ detached: true });
  expect(stays.bytes).toHaveLength(4 * ROWS);
});

test.each(['answers', 'fails'])('the copy at a replica counts until it %s', async (how) => {
  const budget = budgetOf();
  const { promise, resolve, reject } = Promise.withResolvers<RunResult>();
  const replica = { run: () => promise } as unknown as Replica;
  const ran = runOf(requestOf(1, budget)).start(replica, ['x'], performance);
  void promise.catch(() => {});
  expect(budget.heldBy('a')).toBe(4 * ROWS);
  if (how === 'answers') resolve(RESULT);
  else reject(new Error('It is lost.'));
  await ran.catch(() => {});
  expect(budget.held).toBe(0);
});

test('a text counts with the strings that a run makes of it', async () => {
  const budget = budgetOf();
  const x = stringTensor([1], ['x'.repeat(MIB)]);
  const memory = new OwnedMemory(budget.hold('a'));
  memory.add(x.elements[0]!);
  const { promise, resolve } = Promise.withResolvers<RunResult>();
  const of = {
    ...request(tensor('float32', [1], Float32Array.of(1))),
    inputs: new Map([['x', x]]),
  };
  const replica = { run: () => promise } as unknown as Replica;
  const ran = runOf({ of: { ...of, memory } }).start(replica, ['x'], performance);
  expect(budget.heldBy('a')).toBe(8 * MIB);
  resolve(RESULT);
  await ran;
});

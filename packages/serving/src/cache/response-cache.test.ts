import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { SkeinError } from '@skein/api';
import {
  stringTensor,
  tensor,
  values,
  type NumericTensor,
  type Tensor,
  type TensorMap,
} from '@skein/onnx';
import { Cancellation, type InferenceAnswer, type TargetRequest } from '../contract.ts';
import { requestDigest } from './request-digest.ts';
import { createResponseCache } from './response-cache.ts';

let now = 0;
const clock = { now: () => now };
beforeEach(() => {
  now = 0;
});

const request = (more: Partial<TargetRequest> = {}): TargetRequest => ({
  id: 'r',
  deployment: 'd',
  inputs: new Map(),
  arrivedAt: now,
  deadline: now + 60_000,
  priority: 0,
  tenant: 't',
  protocol: 'http',
  ...more,
});

const answerOf = (...numbers: number[]): InferenceAnswer => ({
  version: '1',
  outputs: new Map([['y', tensor('float32', [numbers.length], Float32Array.from(numbers))]]),
  times: { queueMs: 1, computeMs: 2, batchRows: 3 },
  cached: false,
});

const numbersOf = ({ outputs }: InferenceAnswer): number[] =>
  Array.from(values(outputs.get('y') as NumericTensor) as Float32Array);

const never = (): Promise<InferenceAnswer> => Promise.reject(new Error('must not run'));

/** A run that ends when the test ends it. */
function held(): {
  run: () => Promise<InferenceAnswer>;
  resolve: (answer: InferenceAnswer) => void;
  reject: (error: Error) => void;
} {
  let resolve!: (answer: InferenceAnswer) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<InferenceAnswer>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { run: () => promise, resolve, reject };
}

describe('the response cache', () => {
  it('answers an equal request without a run, and marks the answer as cached', async () => {
    const cache = createResponseCache({ maxBytes: 10_000, ttlMs: 1000 }, clock);
    const first = await cache.answer('a', request(), async () => answerOf(1, 2));
    expect(first).toMatchObject({ cached: false, times: { batchRows: 3 } });
    const second = await cache.answer('a', request(), never);
    expect(second).toMatchObject({ cached: true, version: '1', times: { batchRows: 0 } });
    expect(numbersOf(second)).toEqual([1, 2]);
  });

  it('does not change when callers change the returned tensors', async () => {
    const cache = createResponseCache({ maxBytes: 10_000, ttlMs: 1000 }, clock);
    const overwrite = ({ outputs }: InferenceAnswer): void =>
      void (outputs.get('y') as NumericTensor).bytes.fill(255);
    const transfer = ({ outputs }: InferenceAnswer): void => {
      const { buffer } = (outputs.get('y') as NumericTensor).bytes;
      structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
    };
    const first = await cache.answer('a', request(), async () => answerOf(7));
    overwrite(first);
    transfer(first);
    for (const spoil of [overwrite, transfer, overwrite]) {
      const hit = await cache.answer('a', request(), never);
      expect(numbersOf(hit)).toEqual([7]);
      spoil(hit);
    }
  });

  it('drops an answer after the time to live', async () => {
    const cache = createResponseCache({ maxBytes: 10_000, ttlMs: 1000 }, clock);
    await cache.answer('a', request(), async () => answerOf(1));
    now = 999;
    expect((await cache.answer('a', request(), never)).cached).toBe(true);
    now = 1000;
    expect((await cache.answer('a', request(), async () => answerOf(2))).cached).toBe(false);
    expect(numbersOf(await cache.answer('a', request(), never))).toEqual([2]);
  });

  it('shares one run among concurrent equal requests', async () => {
    const cache = createResponseCache({ maxBytes: 10_000, ttlMs: 1000 }, clock);
    const { run, resolve } = held();
    const leader = cache.answer('a', request(), run);
    const followers = [1, 2, 3].map(() => cache.answer('a', request(), never));
    resolve(answerOf(4));
    expect((await leader).cached).toBe(false);
    const answers = await Promise.all(followers);
    expect(answers.map(numbersOf)).toEqual([[4], [4], [4]]);
    expect(answers.every(({ cached }) => cached)).toBe(true);
    // Each has memory of its own.
    const buffers = answers.map(({ outputs }) => (outputs.get('y') as NumericTensor).bytes.buffer);
    expect(new Set(buffers).size).toBe(3);
  });

  it("does not share one caller's failure: the next request runs", async () => {
    const cache = createResponseCache({ maxBytes: 10_000, ttlMs: 1000 }, clock);
    const { run, reject } = held();
    const leader = cache.answer('a', request(), run);
    const follower = cache.answer('a', request(), async () => answerOf(5));
    reject(new SkeinError('DEADLINE_EXCEEDED', 'Too late.'));
    await expect(leader).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(numbersOf(await follower)).toEqual([5]);
  });

  it('lets no request wait beyond its own deadline or disconnect', async () => {
    const cache = createResponseCache({ maxBytes: 10_000, ttlMs: 1000 }, clock);
    const { run, resolve } = held();
    const leader = cache.answer('a', request(), run);
    const urgent = cache.answer('a', request({ deadline: now + 1 }), never);
    await expect(urgent).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    const cancellation = new Cancellation();
    const leaving = cache.answer('a', request({ cancellation }), never);
    cancellation.cancel();
    await expect(leaving).rejects.toMatchObject({ code: 'CANCELLED' });
    resolve(answerOf(1));
    expect(numbersOf(await leader)).toEqual([1]);
  });

  it('lets a request wait that has more time than a timer can be set to', async () => {
    const cache = createResponseCache({ maxBytes: 10_000, ttlMs: 1000 }, clock);
    const { run, resolve } = held();
    const leader = cache.answer('a', request(), run);
    const patient = cache.answer('a', request({ deadline: now + 2 ** 31 }), never);
    setTimeout(() => resolve(answerOf(1)), 20);
    expect([numbersOf(await patient), numbersOf(await leader)]).toEqual([[1], [1]]);
  });

  it('does not store a run that was in progress when it was cleared', async () => {
    const cache = createResponseCache({ maxBytes: 10_000, ttlMs: 1000 }, clock);
    const { run, resolve } = held();
    const leader = cache.answer('a', request(), run);
    cache.clear();
    const fresh = cache.answer('a', request(), async () => answerOf(2));
    resolve(answerOf(1));
    expect(numbersOf(await leader)).toEqual([1]);
    expect(numbersOf(await fresh)).toEqual([2]);
    expect(numbersOf(await cache.answer('a', request(), never))).toEqual([2]);
  });

  it('never holds more than its bound, and evicts the least recently used first', async () => {
    const step = fc.record({
      key: fc.nat(12),
      size: fc.integer({ min: 1, max: 900 }),
      after: fc.nat(60),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        now = 0;
        const maxBytes = 6000;
        const cache = createResponseCache({ maxBytes, ttlMs: 300 }, clock);
        /** In order of use, oldest first: the reference model. */
        let model: { key: number; bytes: number; until: number }[] = [];
        for (const { key, size, after } of steps) {
          now += after;
          let ran = false;
          await cache.answer(String(key), request(), async () => {
            ran = true;
            return answerOf(...Array.from({ length: size }, () => key));
          });
          const known = model.find((entry) => entry.key === key && entry.until > now);
          expect(ran).toBe(known === undefined);
          model = model.filter((entry) => entry.key !== key);
          const entry = known ?? { key, bytes: size * 4 + 512, until: now + 300 };
          model.push(entry);
          while (model.reduce((sum, { bytes }) => sum + bytes, 0) > maxBytes) model.shift();
          expect(cache.bytes).toBeLessThanOrEqual(maxBytes);
        }
      }),
    );
  });

  it('does not store an answer that is larger than the bound', async () => {
    const cache = createResponseCache({ maxBytes: 600, ttlMs: 1000 }, clock);
    await cache.answer('a', request(), async () =>
      answerOf(...Array.from({ length: 100 }, () => 1)),
    );
    expect(cache.bytes).toBe(0);
  });
});

describe('the digest of a request', () => {
  const inputs = (x: Tensor): TensorMap => new Map([['x', x]]);
  const base = inputs(tensor('int32', [2], Int32Array.of(1, 2)));

  it('does not depend on the order of inputs or outputs', () => {
    const x = tensor('int32', [1], Int32Array.of(1));
    const y = tensor('int32', [1], Int32Array.of(2));
    const one = new Map([
      ['x', x],
      ['y', y],
    ]);
    const other = new Map([
      ['y', y],
      ['x', x],
    ]);
    expect(requestDigest('1', one, ['a', 'b'])).toBe(requestDigest('1', other, ['b', 'a']));
  });

  it('differs if anything that affects the answer differs', () => {
    const digests = [
      requestDigest('1', base, undefined),
      requestDigest('2', base, undefined),
      requestDigest('1', base, []),
      requestDigest('1', base, ['y']),
      requestDigest('1', inputs(tensor('int32', [2, 1], Int32Array.of(1, 2))), undefined),
      requestDigest('1', inputs(tensor('uint32', [2], Uint32Array.of(1, 2))), undefined),
      requestDigest('1', inputs(tensor('int32', [2], Int32Array.of(1, 3))), undefined),
      requestDigest('1', new Map([['z', base.get('x')!]]), undefined),
      requestDigest('1', inputs(stringTensor([2], ['ab', 'c'])), undefined),
      requestDigest('1', inputs(stringTensor([2], ['a', 'bc'])), undefined),
    ];
    expect(new Set(digests).size).toBe(digests.length);
  });
});

import { expect, test } from 'vitest';
import { retryMs } from './cluster.ts';
import { afterWatch } from './watch-pods.ts';

test('a watch that the server ends as agreed continues from its last version, at once', () => {
  expect(afterWatch({ error: undefined, silent: false, failures: 0 }, 0.5)).toEqual({
    relist: false,
    waitMs: 0,
  });
});

test('a version that the server has dropped is listed anew: at once, and then more and more slowly', () => {
  const gone = { status: 410, retryAfterMs: undefined };
  const waits = [1, 2, 3, 4].map((failures) =>
    afterWatch({ error: gone, silent: false, failures }, 1),
  );
  expect(waits.map(({ relist }) => relist)).toEqual([true, true, true, true]);
  expect(waits.map(({ waitMs }) => waitMs)).toEqual([0, 400, 800, 1600]);
});

test('a silent watch is listed anew', () => {
  const timeout = { status: undefined, retryAfterMs: undefined };
  expect(afterWatch({ error: timeout, silent: true, failures: 1 }, 0)).toEqual({
    relist: true,
    waitMs: 0,
  });
});

test('a failing watch is repeated for ever, at most every ten seconds', () => {
  for (let failures = 1; failures < 200; failures++) {
    for (const status of [undefined, 403, 429, 500]) {
      const error = { status, retryAfterMs: status === 429 ? 3_600_000 : undefined };
      const { relist, waitMs } = afterWatch({ error, silent: false, failures }, Math.random());
      expect(relist).toBe(false);
      expect(waitMs).toBeGreaterThanOrEqual(100);
      expect(waitMs).toBeLessThanOrEqual(10_000);
    }
  }
});

test('a request is repeated when that may help, and not before Retry-After', () => {
  expect(retryMs({ status: 404, retryAfterMs: undefined }, 1, 0)).toBeUndefined();
  expect(retryMs({ status: 409, retryAfterMs: undefined }, 1, 0)).toBeUndefined();
  expect(retryMs({ status: 429, retryAfterMs: 2000 }, 1, 0)).toBe(2000);
  expect(retryMs({ status: undefined, retryAfterMs: undefined }, 2, 0)).toBe(200);
  expect(retryMs({ status: 503, retryAfterMs: undefined }, 6, 0)).toBeUndefined();
});

import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { ERRORS, SkeinError, type ErrorCode } from '../errors.ts';
import type { ErrorRow } from './row.ts';

const AREAS = globSync(join(import.meta.dirname, '*.ts')).filter(
  (path) => !['row.ts', 'errors.test.ts'].includes(basename(path)),
);

it('has each code of each area, and each in one area only', async () => {
  const areas = await Promise.all(
    AREAS.map(async (path) => (await import(path)) as Record<string, object>),
  );
  const codes = areas.flatMap((area) => Object.values(area).flatMap((table) => Object.keys(table)));
  expect(codes.toSorted()).toEqual(Object.keys(ERRORS).toSorted());
});

it('names a wait for each refusal under load that a node sends, and wherever the fix promises one', () => {
  const without = Object.entries<ErrorRow>(ERRORS).filter(
    ([code, { http, kind, fix, retryMs }]) => {
      const isRefusal = kind === 'load' && [429, 503, 507].includes(http);
      // The client's own error: no node has sent it.
      if (code === 'NODE_UNREACHABLE') return false;
      return retryMs === undefined && (isRefusal || fix.includes('Retry-After'));
    },
  );
  expect(without.map(([code]) => code)).toEqual([]);
});

it('waits as long as the refusal or else the table asks, or not at all', () => {
  const waits = (code: ErrorCode, retryAfterMs?: number) => {
    const error = new SkeinError(code, '', retryAfterMs === undefined ? {} : { retryAfterMs });
    return [error.retryAfterMs, error.retryAfterSeconds, error.toBody().retryAfterMs];
  };
  expect(waits('QUEUE_FULL', 1200)).toEqual([1200, 2, 1200]);
  expect(waits('REPLICA_LOST')).toEqual([100, 1, 100]);
  expect(waits('DEADLINE_UNREACHABLE', Infinity)).toEqual([undefined, undefined, undefined]);
  expect(waits('INPUT_SHAPE')).toEqual([undefined, undefined, undefined]);
});

it('has a stack, unless it is a refusal under load', () => {
  const linesOf = (code: ErrorCode) => new SkeinError(code, 'Not now.').stack!.split('\n').length;
  expect(linesOf('QUEUE_FULL')).toBe(1);
  expect(linesOf('INPUT_SHAPE')).toBeGreaterThan(1);
  expect(new Error('after').stack).toContain('errors.test.ts');
});

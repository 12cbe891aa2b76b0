import type { JobView } from '@skein/api';
import { expect, it } from 'vitest';
import { endText } from './job.ts';
import { styleOf } from './style.ts';

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds)).toISOString();
const attempts = [
  { number: 1, worker: 'a', startedAt: at(0), endedAt: at(320) },
  { number: 2, worker: 'b', startedAt: at(330), endedAt: at(368), usage: { wallMs: 38_700 } },
];
const style = styleOf({ isTTY: false }, {});
const job = { name: 'map', state: 'succeeded', attempts } as unknown as JobView;

it('prints the time of all attempts, which a lost worker makes longer than the last one', () => {
  expect(endText(job, style)).toBe(
    '✓ map succeeded  2 attempts in 6 min 8 s, the last one 38.7 s wall',
  );
  const once: JobView = { ...job, attempts: attempts.slice(1) };
  expect(endText(once, style)).toBe('✓ map succeeded  38.7 s wall');
});

import { expect, it } from 'vitest';
import { fuzzTarget } from './supervisor.ts';
import { FAULTS } from './testing/faulty-target.ts';

it('reports every kind of fault, saves its input, and continues after it', async () => {
  const target = new URL('./testing/faulty-target.ts', import.meta.url).href;
  const result = await fuzzTarget({
    target,
    seed: 1,
    inputs: FAULTS.length,
    seconds: 120,
    hangMs: 2000,
  });
  const found = result.findings.map(({ kind, input }) => [
    kind,
    Buffer.from(input, 'base64').toString(),
  ]);
  expect(found).toEqual([
    ['error', 'error'],
    ['error', 'stray'],
    ['slow', 'slow'],
    ['memory', 'memory'],
    ['hang', 'hang'],
    ['crash', 'crash'],
  ]);
  expect(result.inputs).toBe(FAULTS.length);
});

import { expect, it } from 'vitest';
import { firstDifference } from './compare.ts';

const SHOWN = [
  '✓ risk v1 is served (1.62 s)',
  '  replicas   1 ready',
  '…',
  'probabilities float32[1, 2]',
  '  0.0793889  0.920611',
];
const PRINTED = [
  '✓ risk v1 is served (812 ms)',
  '  replicas     1 ready',
  'Try (call it):',
  '  skein infer risk',
  'probabilities float32[1, 2]',
  '  0.0793891  0.920609',
  '',
];

it('takes other durations, widths of columns, rounding, and lines in place of …', () => {
  expect(firstDifference(SHOWN, PRINTED)).toBeUndefined();
});

it.each([
  ['a name', PRINTED.with(0, '✓ risk v2 is served (812 ms)')],
  ['a count', PRINTED.with(1, '  replicas   2 ready')],
  ['a number beyond rounding', PRINTED.with(5, '  0.0893891  0.910609')],
  ['another form of a value', PRINTED.with(0, '✓ risk v1 is served (soon)')],
  ['a line that is missing', PRINTED.toSpliced(4, 1)],
  ['a line after the end', [...PRINTED, 'warning: risk is slow']],
])('finds %s', (_, printed) => {
  expect(firstDifference(SHOWN, printed)).toBeDefined();
});

it('takes other ids and dates, and no other text in their place', () => {
  expect(firstDifference(['key f7f54fc4bc26'], ['key 104512345678'])).toBeUndefined();
  const shown = ['run 20261202-mlp-256062 at 2026-12-02T18:35:32.210Z'];
  expect(
    firstDifference(shown, ['run 20270101-mlp-0a1b2c at 2027-01-01T00:00:00Z']),
  ).toBeUndefined();
  expect(firstDifference(shown, ['run latest at 2027-01-01T00:00:00Z'])).toBeDefined();
});

it('takes other ages, and no other text in their place', () => {
  expect(firstDifference(['ready  now'], ['ready  3 s ago'])).toBeUndefined();
  expect(firstDifference(['ready  3 s ago'], ['ready  soon'])).toBeDefined();
});

it('takes any text for … within a line', () => {
  expect(firstDifference(['worker … is open'], ['worker vm-1-a is open'])).toBeUndefined();
  expect(firstDifference(['worker … is open'], ['worker vm-1-a is closed'])).toBeDefined();
});

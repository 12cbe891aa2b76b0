import { expect, test } from 'vitest';
import type { ServingContext } from '../context.ts';
import { loadedVersions } from './member-load.ts';

const live = { target: {}, record: { model: 'risk', version: '1', digest: 'd' } };
const of = (more: object): number => {
  const deployment = { live: new Map([['1', live]]), main: live, ...more };
  const deployments = new Map([['risk', deployment]]) as unknown as ServingContext['deployments'];
  return loadedVersions({ deployments, loading: new Map() }).length;
};

test('other members receive what takes traffic here and stays', () => {
  expect(of({})).toBe(1);
  expect(of({ main: undefined })).toBe(0);
  expect(of({ leaving: { isHere: false, others: 1, reason: 'it moves' } })).toBe(0);
});

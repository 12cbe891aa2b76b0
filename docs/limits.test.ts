/** The guide names the limits of the gRPC face that the code has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { GRPC_LIMITS } from '../packages/server/src/gateway/grpc/limits.ts';

const page = readFileSync(join(import.meta.dirname, 'guide/operating.md'), 'utf8');
const { maxUnauthenticated, maxConnections, maxConcurrentStreams, maxStreams } = GRPC_LIMITS;
const { maxKeylessStreams, maxKeylessCalls, maxUnauthenticatedStreams } = GRPC_LIMITS;

test.each([
  ['connections that never showed a valid key', maxUnauthenticated],
  ['connections that did', maxConnections],
  ['calls of one connection', maxConcurrentStreams],
  ['calls of a connection that never showed', maxUnauthenticatedStreams],
  ['calls that need no key', maxKeylessCalls],
  ['streams that need no key', maxKeylessStreams],
  ['streams of the whole node', maxStreams],
])('%s', (what, limit) => {
  const row = page.split('\n').find((line) => line.startsWith(`| ${what}`));
  expect(row?.split('|')[2]?.trim()).toMatch(new RegExp(`^${limit.toLocaleString('en')}\\b`));
});

/** The state of a server in blocks is the one of the strategy as a whole. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { STRATEGY_NAMES, strategyOf, type ServerState } from '@skein/train/federated';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { sha256 } from '@skein/api/canonical';
import { payloadIn } from '../../transport/chunks.ts';
import { contentIn, hashOf, joinedContent, rangeOf } from '../storage/content.ts';
import { broadcastOf, openState, stepState, writeState } from './server-state.ts';

/** More than two blocks, and no whole number of them. */
const LENGTH = 2 * 2 ** 15 + 77;
const noise = (length: number, seed: number) =>
  Float64Array.from({ length }, (_, i) => Math.sin(seed + i * 12.9898));

async function stored(state: ServerState) {
  const bytes = writeState(state);
  return openState(payloadIn(bytes, await sha256(bytes)));
}

it.each(STRATEGY_NAMES)('steps %s as its strategy does, over two rounds', async (name) => {
  const folder = testFolder();
  const path = join(folder, 'deeper', 'next');
  const strategy = strategyOf(name, { buffer: 3, distance: 0.3 });
  let whole = strategy.initial(Float32Array.from(noise(LENGTH, 1)));
  for (const seed of [2, 3]) {
    const before = await stored(whole);
    const sum = noise(LENGTH, seed);
    const read = (from: number, to: number) => sum.slice(from, to);
    const given = { weight: 7, survivors: [], read };
    const of = { part: 7, before: 9, after: 14 };
    const made = await stepState({ strategy, before, sum: given, of, path });
    whole = strategy.apply(whole, sum, 7, of);
    const written = new Uint8Array(readFileSync(path));
    expect(made.bytes).toBe(written.length);
    expect(Buffer.compare(written, writeState(whole))).toBe(0);
    const { start, end } = made.parameters;
    const parameters = new Float32Array(written.slice(start, end).buffer);
    expect(parameters).toEqual(whole.parameters);
    const broadcast = await broadcastOf(await stored(whole), strategy.site);
    const bytes = new Uint8Array(strategy.broadcast(whole).buffer as ArrayBuffer);
    expect(Buffer.compare(await broadcast.read(), bytes)).toBe(0);
    expect(broadcast.digest).toBe(await sha256(bytes));
  }
});

it('reads any part of contents that are joined', async () => {
  const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
  const parts = [contentIn(bytes.slice(0, 7)), rangeOf(contentIn(bytes), 7, 60)];
  const all = joinedContent([...parts, contentIn(bytes.slice(60))]);
  expect(all.bytes).toBe(100);
  for (let from = 0; from < 100; from += 3) {
    const into = new Uint8Array(Math.min(100 - from, 61));
    await all.readInto(into, from);
    expect(into).toEqual(bytes.slice(from, from + into.length));
  }
  expect((await hashOf(all)).digest('hex')).toBe(await sha256(bytes));
});

/** Updates that are stored: the sum holds whole ones, whose chunks are those that were signed. */
import { expect, it } from 'vitest';
import { randomBytes } from './crypto/suite.ts';
import { CHUNK, packAll } from './packing.ts';
import { madeInParts, PART } from './partwise-sum.ts';
import { plainSum, randomInput } from './testing/rounds.ts';
import { chunkDigests, readChunkDigests, Uploads } from './upload.ts';
import { Reader } from './wire/bytes.ts';

const context = {
  run: 'r',
  round: 0,
  plan: randomBytes(32),
  roster: [],
  length: 2 * CHUNK + 5,
  bits: 11,
};

async function update() {
  const input = randomInput(context);
  const chunks = packAll(input, context.bits);
  const digests = readChunkDigests(new Reader(await chunkDigests(chunks), 'digests'), context);
  return { input, chunks, digests };
}

it('sums the updates that were accepted whole, whatever memory their reader uses again', async () => {
  const uploads = new Uploads(context);
  const all = await Promise.all([update(), update(), update()]);
  for (const [site, { digests }] of all.entries()) uploads.begin(site, digests);
  // Into the same memory each time, as a reader of files does.
  const memory = new Uint8Array(CHUNK * 4);
  const reading =
    (damaged = -1) =>
    (site: number, chunk: number, bytes: number) => {
      const into = memory.subarray(0, bytes);
      into.set(all[site]!.chunks[chunk]!);
      if (chunk === damaged) into[0]! ^= 1;
      return into;
    };
  const accept = (site: number, damaged?: number) =>
    uploads.accept(site, (chunk, bytes) => reading(damaged)(site, chunk, bytes));
  await expect(accept(1, 2)).rejects.toMatchObject({ code: 'AGGREGATION_CHUNK_INVALID' });
  for (const site of [2, 0, 0]) await accept(site);
  expect([0, 1, 2].map((site) => uploads.has(site))).toEqual([true, false, true]);
  expect(uploads.close()).toEqual([0, 2]);
  const sum = new Uint32Array(context.length);
  await uploads.addTo(sum, 0, reading());
  const inputs = all.map(({ input }) => input);
  expect(sum).toEqual(plainSum(inputs, [0, 2], 32));
  const end = new Uint32Array(5);
  await uploads.addTo(end, 2 * CHUNK, reading());
  expect(end).toEqual(sum.subarray(2 * CHUNK));
});

it('does not take an update that is read when the sum is closed', async () => {
  const uploads = new Uploads(context);
  const { chunks, digests } = await update();
  uploads.begin(0, digests);
  const gate = Promise.withResolvers<void>();
  const late = uploads.accept(0, async (chunk) => {
    await gate.promise;
    return chunks[chunk]!;
  });
  expect(uploads.close()).toEqual([]);
  gate.resolve();
  await expect(late).rejects.toMatchObject({ code: 'AGGREGATION_PHASE_ANSWERED' });
  expect(uploads.has(0)).toBe(false);
});

it('makes a part when it is read, and keeps the one read last', async () => {
  const length = 2 * PART + 7;
  const made: number[] = [];
  const sum = madeInParts(length, async (into, from) => {
    made.push(from / PART);
    expect(into.every((entry) => entry === 0)).toBe(true);
    into.forEach((_, at) => (into[at] = from + at));
  });
  const ranges = [
    [0, 3],
    [PART - 2, PART + 2],
    [PART, PART + 1],
    [2 * PART - 1, length],
    [0, 1],
  ] as const;
  for (const [from, to] of ranges) {
    expect([...(await sum.read(from, to))]).toEqual(
      Array.from({ length: to - from }, (_, at) => from + at),
    );
  }
  expect(made).toEqual([0, 1, 2, 0]);
});

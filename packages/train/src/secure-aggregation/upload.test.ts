/** Chunks that arrive in any order, twice, late, or never: the sum holds whole updates. */
import { expect, it } from 'vitest';
import { randomBytes } from './crypto/suite.ts';
import { CHUNK, packAll } from './packing.ts';
import { randomInput } from './testing/rounds.ts';
import { chunkDigests, memorySpool, readChunkDigests, Uploads } from './upload.ts';
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

it('adds each chunk once, in any order, and subtracts what is not complete', async () => {
  const uploads = new Uploads(context, memorySpool());
  const [whole, part] = [await update(), await update()];
  uploads.begin(0, whole.digests);
  uploads.begin(1, part.digests);
  for (const chunk of [2, 0, 2, 1, 1]) await uploads.add(0, chunk, whole.chunks[chunk]!);
  for (const chunk of [1, 1, 0]) await uploads.add(1, chunk, part.chunks[chunk]!);
  expect([uploads.missing(0), uploads.missing(1)]).toEqual([[], [2]]);
  expect(await uploads.close()).toEqual([0]);
  expect(uploads.sum).toEqual(whole.input);
});

it('does not add a chunk whose spool finishes after the sum was closed', async () => {
  const written = Promise.withResolvers<void>();
  const uploads = new Uploads(context, { ...memorySpool(), write: () => written.promise });
  const { chunks, digests } = await update();
  uploads.begin(0, digests);
  const late = expect(uploads.add(0, 0, chunks[0]!)).rejects.toMatchObject({
    code: 'AGGREGATION_PHASE_ANSWERED',
  });
  // The chunk is past its digest, and waits for the spool.
  await new Promise((turn) => setImmediate(turn));
  expect(await uploads.close()).toEqual([]);
  written.resolve();
  await late;
  expect(uploads.sum.every((entry) => entry === 0)).toBe(true);
});

it('takes a chunk again that the spool could not write', async () => {
  let fails = true;
  const spool = memorySpool();
  const uploads = new Uploads(context, {
    ...spool,
    write(...chunk) {
      if (fails) throw new Error('disk full');
      return spool.write(...chunk);
    },
  });
  const { input, chunks, digests } = await update();
  uploads.begin(0, digests);
  await expect(uploads.add(0, 0, chunks[0]!)).rejects.toThrow('disk full');
  fails = false;
  for (const [at, chunk] of chunks.entries()) await uploads.add(0, at, chunk);
  expect(await uploads.close()).toEqual([0]);
  expect(uploads.sum).toEqual(input);
});

it('adds an update that is stored as a whole, or nothing of it', async () => {
  const uploads = new Uploads(context, memorySpool());
  const [good, bad] = [await update(), await update()];
  uploads.begin(0, good.digests);
  uploads.begin(1, bad.digests);
  // Into the same memory each time, as a reader of files does.
  const memory = new Uint8Array(CHUNK * 4);
  const reading =
    (chunks: readonly Uint8Array[], damaged = -1) =>
    (chunk: number, bytes: number) => {
      const into = memory.subarray(0, bytes);
      into.set(chunks[chunk]!);
      if (chunk === damaged) into[0]! ^= 1;
      return into;
    };
  await expect(uploads.addAll(1, reading(bad.chunks, 2))).rejects.toMatchObject({
    code: 'AGGREGATION_CHUNK_INVALID',
  });
  for (let twice = 0; twice < 2; twice++) await uploads.addAll(0, reading(good.chunks));
  expect([uploads.missing(0), uploads.missing(1)]).toEqual([[], [0, 1, 2]]);
  expect(await uploads.close()).toEqual([0]);
  expect(uploads.sum).toEqual(good.input);
});

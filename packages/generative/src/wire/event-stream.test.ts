import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { eventData } from './event-stream.ts';
import { durationMs } from './json.ts';

async function read(chunks: readonly Uint8Array[], largest?: number): Promise<string[]> {
  async function* source(): AsyncGenerator<Uint8Array> {
    yield* chunks;
  }
  const all: string[] = [];
  for await (const data of eventData('p', source(), largest)) all.push(...data);
  return all;
}

/** Cuts bytes at the given places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [
    0,
    ...places.map((place) => place % bytes.length).toSorted((a, b) => a - b),
    bytes.length,
  ];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

it('reads the same events however the bytes are cut, with LF, CR and CRLF', async () => {
  const text = fc
    .string({ unit: 'grapheme', maxLength: 30 })
    .filter((each) => !/[\r\n\0]/.test(each));
  await fc.assert(
    fc.asyncProperty(
      fc.array(text, { minLength: 1, maxLength: 8 }),
      fc.constantFrom('\n', '\r', '\r\n'),
      fc.array(fc.nat(), { maxLength: 12 }),
      async (texts, end, places) => {
        const wire = texts
          .map((each) => `: c${end}event: x${end}data: ${each}${end}${end}`)
          .join('');
        expect(await read(cut(Buffer.from(wire), places))).toEqual(texts);
      },
    ),
    { numRuns: 200, seed: 9 },
  );
});

it('drops an event that the end cuts, and refuses one without an end', async () => {
  expect(await read([Buffer.from('data: a\n\ndata: b\n')])).toEqual(['a']);
  const endless = Array.from({ length: 40 }, () => Buffer.alloc(100, 'a'));
  await expect(read([Buffer.from('data: '), ...endless], 1000)).rejects.toMatchObject({
    code: 'PROVIDER_FAILED',
  });
});

it('reads durations as upstreams write them', () => {
  const cases = {
    '58s': 58_000,
    '0.5s': 500,
    '6m0s': 360_000,
    '1h2m3s': 3_723_000,
    '120ms': 120,
    '3': 3000,
  };
  for (const [text, ms] of Object.entries(cases)) expect(durationMs(text)).toBe(ms);
  for (const text of ['', 'soon', '-1s', '1x']) expect(durationMs(text)).toBeUndefined();
});

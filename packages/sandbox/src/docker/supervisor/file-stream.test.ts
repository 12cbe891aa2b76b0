import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeFiles, encodeFiles, isInside, type PutFile } from './file-stream.ts';

const name = fc.string({ minLength: 1, maxLength: 12 }).filter(isInside);
const files = fc.array(fc.record({ path: name, content: fc.uint8Array({ maxLength: 300 }) }), {
  maxLength: 6,
});

async function* pieces(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (let turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function decode(
  bytes: Buffer,
  sizes: readonly number[],
  consume: boolean,
): Promise<PutFile[]> {
  const found: PutFile[] = [];
  for await (const file of decodeFiles(pieces(bytes, sizes), 1e6)) {
    const parts: Uint8Array[] = [];
    if (consume) for await (const part of file.content) parts.push(part);
    found.push({ path: file.path, content: Uint8Array.from(Buffer.concat(parts)) });
  }
  return found;
}

test('encoded files are decoded, however the stream is cut, also when contents are skipped', async () => {
  await fc.assert(
    fc.asyncProperty(
      files,
      fc.array(fc.integer({ min: 1, max: 99 }), { minLength: 1 }),
      async (given, sizes) => {
        const bytes = Buffer.concat([...encodeFiles(given)]);
        expect(await decode(bytes, sizes, true)).toEqual(given);
        expect((await decode(bytes, sizes, false)).map(({ path }) => path)).toEqual(
          given.map(({ path }) => path),
        );
      },
    ),
  );
});

test('a stream that a guest forged is refused, and never hangs', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 60 }), async (bytes) => {
      await expect(decode(Buffer.from(bytes), [7], true)).rejects.toThrow(/collected file|JSON/);
    }),
  );
});

test.each(['../x', '/x', 'a/../b', './a', 'a//b', 'a/', '', 'a\0b'])('%j is not inside', (path) => {
  expect(() => [...encodeFiles([{ path, content: new Uint8Array() }])]).toThrow(
    expect.objectContaining({ code: 'REQUEST_INVALID' }),
  );
});

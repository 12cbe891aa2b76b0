import { open, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { fileBlob, joinedBlob } from './file-blob.ts';

const folder = testFolder();
/** Beyond 32 bits. */
const FAR = 2 ** 32 + 12_345;

async function largeFile() {
  const path = join(folder, 'large');
  await writeFile(path, 'near');
  await truncate(path, FAR);
  const file = await open(path, 'r+');
  await file.write(Buffer.from('far'), 0, 3, FAR);
  await file.close();
  return path;
}

it('reads a file beyond 4 GiB, and sends a part of it with a head', async () => {
  const blob = await fileBlob(await largeFile());
  expect(blob.size).toBe(FAR + 3);
  expect(await blob.slice(0, 4).text()).toBe('near');
  expect(await blob.slice(-3).text()).toBe('far');
  const received = Promise.withResolvers<{ length: string | undefined; body: string }>();
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      received.resolve({
        length: request.headers['content-length'],
        body: body.toString(),
      });
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const body = joinedBlob([new TextEncoder().encode('head '), blob.slice(FAR)]);
  await fetch(`http://127.0.0.1:${port}`, { method: 'PUT', body });
  expect(await received.promise).toEqual({ length: '8', body: 'head far' });
  server.close();
});

it('cuts like a Blob in memory', async () => {
  const path = join(folder, 'small');
  await writeFile(path, '0123456789');
  const file = await fileBlob(path);
  const head = new TextEncoder().encode('ab');
  const joined = joinedBlob([head, file.slice(2, 7), head]);
  const memory = new Blob([head, '23456', head]);
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: -12, max: 12 }),
      fc.integer({ min: -12, max: 12 }),
      async (a, b) => {
        const [found, wanted] = [joined.slice(a, b), memory.slice(a, b)];
        expect(found.size).toBe(wanted.size);
        expect(await found.text()).toBe(await wanted.text());
        expect(await new Response(found.stream()).text()).toBe(await wanted.text());
      },
    ),
    { numRuns: 60 },
  );
});

it('refuses a file that has changed', async () => {
  const path = join(folder, 'changing');
  await writeFile(path, 'before');
  const blob = await fileBlob(path);
  await writeFile(path, 'after, and longer');
  await expect(blob.text()).rejects.toThrow(`${path} changed while it was read.`);
});

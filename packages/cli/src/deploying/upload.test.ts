import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { createNotes } from '../output/notes.ts';
import { countingFetch, uploadLine, uploadNotes } from './upload.ts';

it('counts the bytes of an upload as they go, and changes none of them', async () => {
  const hash = createHash('sha256');
  const server = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => hash.update(chunk));
    request.on('end', () => response.end('stored'));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const content = Buffer.alloc(3_000_000, 'skein');
  const seen: number[] = [];
  const counting = countingFetch((sent, total) => {
    expect(total).toBe(content.length);
    seen.push(sent);
  });
  const response = await counting(`http://127.0.0.1:${port}/`, {
    method: 'PUT',
    body: new Blob([content]),
  });
  expect(await response.text()).toBe('stored');
  server.close();
  expect(hash.digest('hex')).toBe(createHash('sha256').update(content).digest('hex'));
  expect(seen.length).toBeGreaterThan(5);
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  expect(seen.at(-1)).toBe(content.length);
});

it('shows bytes, rate and time left', () => {
  expect(uploadLine(16 * 1024 ** 2, 64 * 1024 ** 2, 2000)).toBe(
    '█████░░░░░░░░░░░░░░░ 16.0 MiB of 64.0 MiB, 8.00 MiB/s, 6.00 s left',
  );
  expect(uploadLine(64, 64, 1000)).toBe('████████████████████ 64 B of 64 B, 64 B/s');
  expect(uploadLine(0, 64, 0)).toBe('░░░░░░░░░░░░░░░░░░░░ 0 B of 64 B');
});

it('draws at most twenty times a second, and always the end', () => {
  let now = 0;
  let drawn = 0;
  const stream = { isTTY: true, columns: 120, write: () => (drawn += 1) };
  const progress = uploadNotes(createNotes(stream, {}), 'Uploading', () => now);
  for (now = 0; now < 1000; now++) progress(now, 1000);
  progress(1000, 1000);
  expect(drawn).toBe(21);
});

/** Names of a job's outputs on the node, and the files that they become here. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { NewJob } from '@skein/api';
import type { Client } from '@skein/api/client';
import type { Context } from '../command-line/command.ts';
import { createNotes } from '../output/notes.ts';
import { downloadOutputs } from './outputs.ts';

let folder: string;
beforeEach(() => {
  folder = testFolder();
});

const client = {
  downloadArtifact: async () => new Blob(['content']).stream(),
} as unknown as Client;

async function download(path: string): Promise<readonly string[]> {
  const context = {
    notes: createNotes({ write: () => true }, {}),
    signal: new AbortController().signal,
  } as Partial<Context> as Context;
  const output = { path, digest: '0'.repeat(64), sizeBytes: 7 };
  return downloadOutputs(context, client, [output], folder);
}

it.each(['n'.repeat(250), 'n'.repeat(255), `deep/${'ü'.repeat(127)}`, 'a\u001B[2Jb', ' ', '..x'])(
  'writes an output called %j',
  async (path) => {
    const [file] = await download(path);
    expect(file).toBe(join(folder, path));
    expect(readFileSync(file!, 'utf8')).toBe('content');
    expect(readdirSync(folder)).toHaveLength(1);
  },
);

it.each(['n'.repeat(256), `${'n'.repeat(300)}/x`, 'a\0b', '../x', '/etc/x', 'taken/x'])(
  'names the output that cannot be written: %j',
  async (path) => {
    writeFileSync(join(folder, 'taken'), '');
    await expect(download(path)).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
      message: expect.stringContaining('cannot be written') as string,
    });
    expect(readdirSync(folder)).toEqual(['taken']);
  },
);

it('a job is refused that names an output which no file system can hold', () => {
  const accepts = (path: string): boolean =>
    NewJob.safeParse({ work: { kind: 'command', argv: ['true'], outputs: [{ path }] } }).success;
  expect(accepts('n'.repeat(255))).toBe(true);
  expect(accepts('n'.repeat(256))).toBe(false);
  // 130 characters of two bytes.
  expect(accepts('ü'.repeat(130))).toBe(false);
  expect(accepts(`${'n'.repeat(200)}/${'n'.repeat(200)}`)).toBe(true);
});

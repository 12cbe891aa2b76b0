/** Empty folders for the tests of a file, which are removed when all of them have ended. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const made: string[] = [];

// This hook is set before the hooks of the file, so it runs after them, when they have closed their files.
afterAll(() => made.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'skein-test-'));
  made.push(folder);
  return folder;
}

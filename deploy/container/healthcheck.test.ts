/** The health check of an image before its node listens. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { testFolder } from '../../scripts/testing/folder.ts';

test('is a line, and no trace, while the node starts', () => {
  const folder = testFolder();
  const check = spawnSync(process.execPath, [join(import.meta.dirname, 'healthcheck.ts')], {
    encoding: 'utf8',
    env: { ...process.env, SKEIN_DATA: folder },
  });
  expect([check.status, check.stderr]).toEqual([
    1,
    `${folder}/node.json names no node: it has not started yet.\n`,
  ]);
});

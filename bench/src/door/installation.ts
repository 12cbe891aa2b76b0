/**
 * The first command of a new user, from an empty home and an empty cache of npm, over a registry on loopback. Another
 * user has installed before, so that the registry holds the packages of others too.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { openRegistry } from '../../../scripts/front-door/registry.ts';
import { createUser, type User } from '../../../scripts/front-door/user.ts';
import { temporaryFolder } from '../harness/folder.ts';
import type { RowGroup } from '../harness/row-group.ts';

const ROOT = join(import.meta.dirname, '../../..');
const UP = 'npx skein up --example ocr --port 0 --grpc-port 0';

export const installation: RowGroup = {
  measures: [
    {
      key: 'npx_s',
      what: '`npx skein up --example ocr` from a cold cache to the first answer',
      unit: ' s',
      target: { atMost: 30 },
    },
    {
      key: 'npx_mb',
      what: 'packages that it downloads',
      unit: ' MB',
      target: { atMost: 120 },
    },
  ],
  async measure({ quick, progress }) {
    // Two installations and the packages take more than a short run may.
    if (quick) return { results: {}, details: {} };
    progress('packing');
    execFileSync('npm', ['run', '--silent', 'pack'], { cwd: ROOT, stdio: 'ignore' });
    const folder = await temporaryFolder();
    try {
      progress('publishing to a registry on loopback');
      return await measureIn(folder.path, progress);
    } finally {
      await folder.remove();
    }
  },
};

async function measureIn(folder: string, progress: (line: string) => void) {
  const registry = await openRegistry(ROOT, folder);
  try {
    progress('a first user');
    await secondsToAnswer(createUser(join(folder, 'first'), registry.url));
    progress('a second user');
    const user = createUser(join(folder, 'second'), registry.url);
    const npx_s = await secondsToAnswer(user);
    return { results: { npx_s, npx_mb: user.downloaded() / 1e6 }, details: {} };
  } finally {
    await registry.close();
  }
}

async function secondsToAnswer(user: User): Promise<number> {
  try {
    const begun = performance.now();
    const node = await user.start(UP, /│ INVOICE/);
    const seconds = (performance.now() - begun) / 1000;
    await node.end();
    return seconds;
  } finally {
    user.close();
  }
}

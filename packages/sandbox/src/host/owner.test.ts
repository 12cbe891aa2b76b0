/** Names of machines: what a process id is unique in. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { thisMachine } from './owner.ts';

const OWNER = join(import.meta.dirname, 'owner.ts');
const PRINT = ['-e', `import(${JSON.stringify(OWNER)}).then((o) => console.log(o.thisMachine()))`];
/** A process name space of its own, as a container has. */
const CONTAINER = ['--dev-bind', '/', '/', '--unshare-pid', '--proc', '/proc'];

test('another process of this machine gives it the same name', () => {
  const other = execFileSync(process.execPath, PRINT, { encoding: 'utf8' }).trim();
  expect(other).toBe(thisMachine());
});

// Two workers in containers with one Docker daemon took each other's sandboxes for leftovers.
test.skipIf(requireComponent('bubblewrap').skip)(
  'a container on this machine is another one',
  () => {
    const other = execFileSync('bwrap', [...CONTAINER, process.execPath, ...PRINT], {
      encoding: 'utf8',
    }).trim();
    expect(other).toMatch(/^[0-9a-f]{32}$/);
    expect(other).not.toBe(thisMachine());
  },
);

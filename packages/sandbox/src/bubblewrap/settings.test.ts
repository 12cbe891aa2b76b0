/** The settings of a guest are copied without blocking the thread that serves. */
import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { copySettings } from './settings.ts';

test.runIf(existsSync('/etc/ssl/certs'))(
  'copies what programs need and no private keys, while the event loop runs',
  async () => {
    const folder = testFolder();
    const into = join(folder, 'etc');
    const order: string[] = [];
    const copied = copySettings(into).then(() => order.push('copied'));
    await new Promise((resolve) => setImmediate(resolve));
    order.push('iteration');
    await copied;
    expect(order).toEqual(['iteration', 'copied']);
    expect(readdirSync(join(into, 'ssl')).toSorted()).not.toContain('private');
    const certificates = readdirSync('/etc/ssl/certs');
    expect(readdirSync(join(into, 'ssl/certs')).length).toBe(certificates.length);
    for (const name of certificates.slice(0, 5)) {
      const isLink = (root: string): boolean => lstatSync(join(root, name)).isSymbolicLink();
      expect(isLink(join(into, 'ssl/certs'))).toBe(isLink('/etc/ssl/certs'));
    }
    for (const written of ['passwd', 'group', 'hosts', 'nsswitch.conf']) {
      expect(existsSync(join(into, written))).toBe(true);
    }
    expect(existsSync(join(into, 'shadow'))).toBe(false);
  },
);

import { existsSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { FEDERATION_PATH } from '@skein/api/federations';
import { expect, it, onTestFinished } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { createFederations } from './federations.ts';

function federationsAt(name: string) {
  const folder = testFolder();
  const place = join(folder, name);
  // No federation is started here, so that no model is looked up.
  const component = createFederations(place, {
    registry: undefined as never,
    logger: { warn() {} },
  });
  onTestFinished(async () => {
    await component.close();
  });
  const asks = () => component.upgrade.asks({ url: FEDERATION_PATH } as IncomingMessage);
  return { folder, place, component, asks };
}

it('are not opened by a connection where there is none', async () => {
  const { place, component, asks } = federationsAt('federations');
  expect(asks()).toBe(false);
  expect(await component.list()).toEqual([]);
  expect(asks()).toBe(true);
  expect(existsSync(place)).toBe(true);
});

it('are opened by a later call when the first could not', async () => {
  const { folder, component } = federationsAt('a/federations');
  writeFileSync(join(folder, 'a'), 'a file where a folder should be');
  await expect(component.list()).rejects.toThrow(/ENOTDIR/);
  rmSync(join(folder, 'a'));
  expect(await component.list()).toEqual([]);
});

/** How long a node keeps federations that are over, by the days that it has watched. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FederationView } from '@skein/api';
import { expect, it } from 'vitest';
import { startNodeProcess } from '../../../../server/src/testing/node-process.ts';
import { openFederationScene, TERMS } from '../../testing/federation-scene.ts';

const PLAN = {
  ...TERMS,
  rounds: 1,
  privacy: { mode: 'none' },
  aggregation: { kind: 'pairwise', range: 50 },
  sites: { minimum: 3, maximum: 3 },
};
const DAY_MS = 86_400_000;

it('keeps a ledger for as long as skein up is given, and for half a year otherwise', async () => {
  await using scene = await openFederationScene([], PLAN);
  const { folder } = scene;
  const { federation } = await scene.node.json<{ federation: FederationView }>(
    'federate',
    'start',
    'plan.json',
  );
  await scene.node.json('federate', 'stop', federation.id);
  const restarted = async (...args: string[]): Promise<readonly string[]> => {
    await scene.node.kill();
    scene.node = await startNodeProcess({ folder, args });
    const { federations } = await scene.node.json<{ federations: { id: string }[] }>(
      'federate',
      'status',
    );
    return federations.map(({ id }) => id);
  };
  expect(await restarted()).toEqual([federation.id]);

  const file = join(folder, '.skein', 'federations', 'uploads', 'watched.json');
  const watched = JSON.parse(await readFile(file, 'utf8')) as { readonly age: number };
  await writeFile(file, JSON.stringify({ ...watched, age: watched.age + 200 * DAY_MS }));
  expect(await restarted('--keep-ledgers', '365')).toEqual([federation.id]);
  expect(await restarted()).toEqual([]);

  const { code, stdout } = await scene.node.run('up', '--keep-ledgers', '30', '--json');
  expect([code, JSON.parse(stdout)]).toMatchObject([2, { code: 'USAGE' }]);
}, 120_000);

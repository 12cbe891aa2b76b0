/** Counts of the rows of three sites, from the plan to the figures, by the commands of operator and sites. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FederationStatistics } from '@skein/api';
import { mlp, writeModel } from '@skein/onnx';
import { assemblePublic } from '@skein/train';
import { expect, it } from 'vitest';
import { runCli, type CliOutcome } from '../../testing/cli.ts';
import { openFederationScene, TERMS } from '../../testing/federation-scene.ts';

const PLAN = {
  data: TERMS.data,
  strategy: {
    name: 'statistics',
    tables: [[{ kind: 'score' }, { kind: 'label' }], [{ kind: 'column', name: 'age', bins: 6 }]],
    bySite: true,
  },
  rounds: 1,
  privacy: { mode: 'patient', epsilon: 20, delta: 1e-3 },
  sites: { minimum: 3, maximum: 3 },
};

it('counts by a stored version, and shows calibration, performance and drift', async () => {
  await using scene = await openFederationScene(['Basel', 'Lyon', 'Delft'], PLAN);
  const { folder, node, client } = scene;
  const skein = (...words: string[]): Promise<CliOutcome> =>
    runCli([...words, '--server', node.url], { cwd: folder });
  const start = ['federate', 'start', 'plan.json', '--name', 'heart'];
  expect((await skein(...start)).stderr).toContain('name its version');
  const model = assemblePublic(TERMS.data, () => mlp({ sizes: [3, 1], seed: 3 }), 1);
  await client.importModel({ name: 'heart', content: new Uint8Array(writeModel(model)) });
  // Columns that the model does not take are refused before a site is invited.
  const [age] = PLAN.data.features;
  const other = { ...PLAN, data: { ...PLAN.data, features: [age] } };
  await writeFile(join(folder, 'other.json'), JSON.stringify(other));
  const refused = await skein(
    'federate',
    'start',
    'other.json',
    '--name',
    'heart',
    '--version',
    '1',
  );
  expect(refused.stderr).toMatch(/the column "sex".*PLAN_INVALID/s);

  const names = ['Basel', 'Lyon', 'Delft'];
  const invited = names.flatMap((name) => ['--site', name]);
  const started = await skein(...start, '--version', '1', ...invited);
  expect(started.stderr).toBe('');
  const links = [...started.stdout.matchAll(/http\S+#skein-join_\S+/g)].map(([link]) => link);
  expect((await skein('federate', 'statistics', 'last')).stderr).toContain('STATISTICS_MISSING');
  const preview = scene.start('Basel', 'join', links[0]!, '--data', 'Basel.csv');
  expect((await preview.ended).stdout).toContain('score × label; age; for each site');
  const joined = names.map((name, i) =>
    scene.start(name, 'join', links[i]!, '--data', `${name}.csv`, '--accept'),
  );
  for (const { ended } of joined) expect((await ended).code).toBe(0);

  const shown = await skein('federate', 'statistics', 'last');
  expect(shown.stdout).toMatch(/Counts of score × ill/);
  expect(shown.stdout).toMatch(/Lyon +\d+ +0\.\d{3} ±/);
  expect(shown.stdout).toMatch(/Delft .* p \d\.\d{3}/);
  const { stdout } = await skein('federate', 'statistics', 'last', '--json', '--coverage', '0.8');
  const found = FederationStatistics.loose().parse(JSON.parse(stdout));
  const rows = found.report[1]!.columns[0]!.parts.map((part) => part.rows!);
  // 60 rows at each site; the noise of ε = 20 over seven cells is a few rows.
  expect(Math.abs(rows[0]! - 180)).toBeLessThan(30);
  expect(found.sites).toHaveLength(3);
  const { entries } = await client.getLedger({
    id: (await client.listFederations()).federations[0]!.id,
  });
  expect(entries.map(({ event }) => event)).toContainEqual(
    expect.objectContaining({ kind: 'finished-round', after: found.digest }),
  );
  expect((await client.listVersions({ name: 'heart' })).versions).toHaveLength(1);
});

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { seededRandom } from '@skein/onnx';
import { beforeAll, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { startCli } from '../../testing/cli.ts';
import type { SimulatedRow } from './federate-simulate.ts';

const folder = testFolder();
beforeAll(async () => {
  const random = seededRandom(1);
  const rows = Array.from({ length: 300 }, () => {
    const [age, pressure] = [20 + 60 * random.next(), 90 + 80 * random.next()];
    return `${age.toFixed(1)},${pressure.toFixed(1)},${age + pressure > 180 ? 'yes' : 'no'}`;
  });
  await writeFile(join(folder, 'rows.csv'), ['age,pressure,ill', ...rows, ''].join('\n'));
  // At the second hospital nearly all are ill, and it has a fifth of the rows.
  const patients = rows.map((row, i) =>
    i % 5 === 0 ? `south,${90 + (i % 7)},150,yes` : `north,${row}`,
  );
  await writeFile(
    join(folder, 'hospitals.csv'),
    ['hospital,age,pressure,ill', ...patients].join('\n'),
  );
});

const skein = (...args: string[]) =>
  startCli(['federate', 'simulate', 'rows.csv', '--label', 'ill', ...args], { cwd: folder }).ended;

interface Simulated {
  readonly heldOutRows: number;
  readonly majority: number;
  readonly personal?: {
    readonly own: Readonly<Record<string, number>>;
    readonly global: Readonly<Record<string, number>>;
  };
  readonly rounds: readonly SimulatedRow[];
}
const simulated = async (...args: string[]): Promise<Simulated> =>
  JSON.parse((await skein(...args, '--json')).stdout) as Simulated;

it('learns over equal sites, and over sites of one class needs more rounds', async () => {
  const plan = ['--sites', '5', '--rounds', '8', '--rate', '1'];
  const [equal, again, sorted] = await Promise.all([
    simulated(...plan),
    simulated(...plan),
    simulated(...plan, '--split', 'sorted'),
  ]);
  expect(equal).toEqual(again);
  expect(equal).toMatchObject({ trainingRows: 240, heldOutRows: 60, strategy: 'fedavg' });
  expect(equal.rounds.map(({ round }) => round)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  const last = equal.rounds.at(-1)!.metrics;
  expect(last['accuracy']).toBeGreaterThan(0.93);
  expect(last['accuracy']).toBeGreaterThan(equal.majority + 0.2);
  expect(last['validationLoss']).toBeLessThan(sorted.rounds.at(-1)!.metrics['validationLoss']!);
});

it('shows what hostile sites do to the mean, and that robust aggregates stand them', async () => {
  const plan = ['--sites', '7', '--rounds', '8', '--rate', '1', '--hostile', '2'];
  const accuracies = await Promise.all(
    [[], ['--robust', 'median'], ['--robust', 'trimmed-mean'], ['--robust', 'krum']].map(
      async (more) => (await simulated(...plan, ...more)).rounds.at(-1)!.metrics['accuracy']!,
    ),
  );
  const [mean, ...robust] = accuracies as [number, ...number[]];
  expect(mean).toBeLessThan(0.6);
  for (const accuracy of robust) expect(accuracy).toBeGreaterThan(0.9);
  const few = await skein('--sites', '6', '--hostile', '2', '--robust', 'krum', '--json');
  expect([few.code, JSON.parse(few.stdout).code]).toEqual([2, 'USAGE']);
});

it('trains a model of its own at each site, which fits rows that the global one cannot', async () => {
  const { stdout } = await skein(
    '--sites',
    '5',
    '--split',
    'sorted',
    '--personal',
    '0',
    '--rounds',
    '4',
  );
  expect(stdout).toMatch(
    /On 45 rows that sites have kept: accuracy [\d.]+ by a model of each site's/,
  );
  const plan = ['--sites', '5', '--rounds', '4', '--split', 'sorted', '--personal'];
  const [own, tuned, pulled, plain] = await Promise.all([
    simulated(...plan, '0'),
    simulated(...plan, '0', '--personal-from', 'global'),
    simulated(...plan, '1000', '--rate', '0.0001'),
    simulated(...plan.slice(0, -1)),
  ]);
  // A site has rows of one class, or of two.
  const { personal } = own;
  expect(personal!.own['accuracy']).toBeGreaterThan(personal!.global['accuracy']!);
  expect(personal!.own['validationLoss']).toBeLessThan(personal!.global['validationLoss']! * 0.8);
  // Four rounds of its rows fit it to them more than the last one alone does.
  expect(tuned.personal!.own['validationLoss']).toBeGreaterThan(personal!.own['validationLoss']!);
  expect(tuned.personal!.own['validationLoss']).toBeLessThan(
    tuned.personal!.global['validationLoss']!,
  );
  // Pulled so strongly, it stays what the global one is.
  const strong = pulled.personal!;
  expect(strong.own['validationLoss']).toBeCloseTo(strong.global['validationLoss']!, 2);
  expect(plain.personal).toBeUndefined();
  const alone = await skein('--personal-from', 'global', '--json');
  expect(JSON.parse(alone.stdout)).toMatchObject({ code: 'USAGE' });
  const many = await skein('--sites', '201', '--personal', '1', '--json');
  expect(JSON.parse(many.stdout)).toMatchObject({ code: 'USAGE' });
});

it('simulates updates that come late, with fedbuff', async () => {
  const plan = ['--sites', '5', '--rounds', '12', '--rate', '1', '--strategy'];
  const { majority, rounds } = await simulated(...plan, 'fedbuff', '--late', '2');
  expect(rounds.at(-1)!.metrics['accuracy']).toBeGreaterThan(majority + 0.2);
  const other = await skein(...plan, 'fedavg', '--late', '2', '--json');
  expect(JSON.parse(other.stdout)).toMatchObject({ code: 'USAGE' });
});

it('draws a table of rounds, and refuses more sites than rows and a column that is absent', async () => {
  const { code, stdout } = await skein('--sites', '4', '--rounds', '2');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^ROUND +LOSS +VALIDATION LOSS +ACCURACY/m);
  expect(stdout).toMatch(/^ +2 +0\.\d{4}/m);
  expect(stdout).toContain('fedavg over 4 simulated sites (equal) with 240 rows');
  const many = await skein('--sites', '500', '--json');
  expect([many.code, JSON.parse(many.stdout).code]).toEqual([2, 'USAGE']);
  const hostile = await skein('--sites', '4', '--hostile', '5', '--json');
  expect(JSON.parse(hostile.stdout)).toMatchObject({
    code: 'USAGE',
    error: '--hostile 5 is more than the 4 sites.',
  });
  const absent = await skein('--label', 'sick', '--json');
  expect(JSON.parse(absent.stdout)).toMatchObject({ code: 'TRAINING_DATA_INVALID' });
});

it('reports the quality of the model at each centre, with the most frequent class there', async () => {
  const by = (...more: string[]) =>
    startCli(['federate', 'simulate', 'hospitals.csv', '--label', 'ill', ...more], { cwd: folder })
      .ended;
  const plan = ['--by', 'hospital', '--rounds', '8', '--rate', '1'];
  const { stdout } = await by(...plan, '--json');
  const { centres, sites, heldOutRows, trainingRows } = JSON.parse(stdout);
  expect({ sites, heldOutRows, trainingRows }).toEqual({
    sites: 2,
    heldOutRows: 60,
    trainingRows: 240,
  });
  const [south, north] = centres;
  expect(south).toMatchObject({ name: 'south', trainingRows: 48, heldOutRows: 12, majority: 1 });
  expect(north).toMatchObject({ name: 'north', trainingRows: 192, heldOutRows: 48 });
  expect(north.majority).toBeLessThan(0.75);
  expect(north.metrics.accuracy).toBeGreaterThan(north.majority + 0.1);
  expect(south.metrics.accuracy).toBeGreaterThan(0.7);
  const shown = await by(...plan);
  expect(shown.stdout).toMatch(/^CENTRE +ROWS +HELD OUT +MAJORITY CLASS .*ACCURACY/m);
  expect(shown.stdout).toMatch(/^south +48 +12 +1\.0000/m);
  for (const wrong of [
    ['--by', 'ward'],
    ['--by', 'hospital', '--sites', '3'],
    ['--by', 'age'],
  ]) {
    const { code, stdout: refusal } = await by(...wrong, '--json');
    expect([code, JSON.parse(refusal).code]).toEqual([2, 'USAGE']);
  }
});

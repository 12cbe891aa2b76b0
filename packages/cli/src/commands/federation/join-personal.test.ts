/**
 * Sites that each train a model of their own too, in processes: hospitals whose patients differ, so that the global
 * model fits none of them. A site is killed with SIGKILL in the middle and started again.
 */
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FederationView } from '@skein/api';
import { seededRandom } from '@skein/onnx';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CliProcess, runCli } from '../../testing/cli.ts';
import {
  type FederationScene,
  openFederationScene,
  TERMS,
} from '../../testing/federation-scene.ts';
import type { SiteParticipation } from './join.ts';

const ROUNDS = 6;
const NAMES = ['north', 'south', 'west'];
/** Who is ill at a hospital. */
const ILL: Readonly<Record<string, (age: number, sex: number) => boolean>> = {
  north: (age) => age > 50,
  south: (age) => age <= 50,
  west: (_, sex) => sex === 1,
};
const PLAN = {
  ...TERMS,
  local: { ...TERMS.local, steps: 600 },
  rounds: ROUNDS,
  privacy: { mode: 'none' },
  aggregation: { kind: 'pairwise', range: 50 },
  sites: { minimum: 3, maximum: 3 },
};
const patient = { timeout: 90_000, interval: 20 };

let scene: FederationScene;
beforeAll(async () => {
  scene = await openFederationScene(NAMES, PLAN);
  const random = seededRandom(2);
  for (const name of NAMES) {
    const rows = Array.from({ length: 160 }, () => {
      const [age, sex] = [Math.round(20 + 60 * random.next()), random.next() < 0.5 ? 0 : 1];
      return `${age},${sex},${ILL[name]!(age, sex) ? 1 : 0}`;
    });
    const write = (file: string, lines: readonly string[]) =>
      writeFile(join(scene.folder, file), ['age,sex,ill', ...lines, ''].join('\n'));
    await write(`${name}.csv`, rows.slice(0, 60));
    await write(`${name}-test.csv`, rows.slice(60));
  }
}, 60_000);
afterAll(() => scene?.[Symbol.asyncDispose]());

interface Started {
  readonly federation: FederationView;
  readonly invitations: readonly { readonly name: string; readonly link: string }[];
}

async function started(plan = 'plan.json') {
  const names = NAMES.flatMap((name) => ['--site', name]);
  const { federation, invitations } = await scene.node.json<Started>(
    'federate',
    'start',
    plan,
    ...names,
  );
  const site = (name: string, ...more: string[]): CliProcess => {
    const { link } = invitations.find((each) => each.name === name)!;
    return scene.start(name, 'join', link, '--data', `${name}.csv`, ...more);
  };
  return { id: federation.id, site };
}

async function reportOf({ ended }: CliProcess): Promise<SiteParticipation> {
  const { code, stdout, stderr } = await ended;
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as SiteParticipation;
}

it('trains models of sites that differ, which are better there than the global one, through a kill', async () => {
  const { id, site } = await started();
  await mkdir(join(scene.folder, 'folder.onnx'));
  const refused: readonly (readonly [string[], string, RegExp])[] = [
    [['--personal', 'none/own.onnx'], 'FILE_UNREADABLE', /cannot be written: there is no such/],
    [['--personal', 'folder.onnx'], 'FILE_UNREADABLE', /cannot be written: it is a folder/],
    [['--personal', 'north.csv'], 'USAGE', /does not end with .onnx/],
    [['--personal-pull', '1'], 'USAGE', /--personal-pull: name the file/],
    [['--personal', 'o.onnx', '--personal-test', 'north.csv'], 'USAGE', /other rows/],
    [['--personal', 'o.onnx', '--personal-pull', '3'], 'USAGE', /at most 2/],
    [['--personal', 'o.onnx', '--personal-test', 'plan.json'], 'USAGE', /plan\.json/],
  ];
  for (const [words, code, message] of refused) {
    const { stdout } = await site('north', ...words, '--accept').ended;
    expect(JSON.parse(stdout)).toMatchObject({
      code,
      error: expect.stringMatching(message),
      fix: expect.stringMatching(/./),
    });
  }
  const proposal = await reportOf(site('north', '--personal', 'north.onnx'));
  expect(proposal).toMatchObject({
    accepted: false,
    personal: {
      file: 'north.onnx',
      pull: 0.1,
      from: 'own',
      learningRate: 0.5,
      steps: 600,
      batch: 20,
    },
  });

  const joined = (name: string, ...more: string[]) => {
    const own = ['--personal', `${name}.onnx`, '--personal-test', `${name}-test.csv`];
    return site(name, ...own, '--accept', ...more);
  };
  const north = joined('north', '--personal-pull', '0.01');
  const tuned = () => joined('south', '--personal-from', 'global', '--personal-steps', '900');
  const south = tuned();
  // Has none.
  const west = site('west', '--accept');
  const rounds = async () => (await scene.client.getFederation({ id })).round;
  await expect.poll(rounds, patient).toBeGreaterThan(1);
  north.process.kill('SIGKILL');
  await north.ended;
  south.process.kill('SIGINT');
  const left = await south.ended;
  expect(left.code).toBe(0);
  expect(JSON.parse(left.stdout)).toMatchObject({
    status: 'left',
    seen: expect.stringMatching(/^\d+:[0-9a-f]{64}$/),
    personal: { test: { rows: 100 } },
  });
  expect((await readFile(join(scene.folder, 'south.onnx'))).length).toBeGreaterThan(500);
  const again = joined('north', '--personal-pull', '0.01');
  const ends = await Promise.all([again, tuned(), west].map(reportOf));
  expect(ends.pop()!.personal).toBeUndefined();
  for (const [i, { status, personal, quality }] of ends.entries()) {
    expect([NAMES[i], status, personal!.round]).toEqual([NAMES[i], 'finished', ROUNDS - 1]);
    expect(personal!.leftOut).toBe(0);
    const { rows, rounds: tried } = personal!.test!;
    const last = tried.at(-1)!;
    expect([rows, last.round]).toEqual([100, ROUNDS - 1]);
    // The two rules contradict each other.
    expect(last.own['accuracy']).toBeGreaterThan(0.9);
    expect(last.own['accuracy']).toBeGreaterThan(last.global['accuracy']! + 0.2);
    expect(quality!.round).toBe(ROUNDS - 1);
    expect((await stat(join(scene.folder, `${NAMES[i]}.onnx`))).mode & 0o777).toBe(0o600);
  }
  // Each is a model that can be served, and has learnt from the rows of its site.
  const cli = async (...words: string[]) => {
    const given = [...words, '--server', scene.node.url, '--json'];
    const { code, stdout, stderr } = await runCli(given, { cwd: scene.folder });
    expect(code, stderr).toBe(0);
    return JSON.parse(stdout) as unknown;
  };
  const probabilities: number[] = [];
  for (const name of ['north', 'south']) {
    await cli('deploy', `${name}.onnx`, '--name', name);
    const { outputs } = (await cli('infer', name, '--data', '{"age": [75], "sex": ["0"]}')) as {
      readonly outputs: { readonly probability: { readonly data: readonly number[][] } };
    };
    probabilities.push(outputs.probability.data[0]![0]!);
  }
  expect(probabilities[0]).toBeGreaterThan(0.8);
  expect(probabilities[1]).toBeLessThan(0.2);
}, 180_000);

it('has steps of its own where the plan protects patients, and keeps a model that cannot be written', async () => {
  await writeFile(
    join(scene.folder, 'patients.json'),
    JSON.stringify({
      data: PLAN.data,
      rounds: 30,
      strategy: { name: 'fedsgd' },
      privacy: { mode: 'patient', epsilon: 50, denominator: 180 },
      sites: PLAN.sites,
    }),
  );
  const { site } = await started('patients.json');
  const own = join(scene.folder, 'own');
  await mkdir(own);
  const joined = (name: string) =>
    site(
      name,
      '--personal',
      name === 'west' ? 'own/west.onnx' : `${name}-2.onnx`,
      '--personal-test',
      `${name}-test.csv`,
      '--accept',
    );
  const [north, south, west] = NAMES.map(joined);
  // The disk of one site is lost.
  await expect
    .poll(() => stat(join(own, 'west.onnx')).catch(() => undefined), patient)
    .toBeDefined();
  await rm(own, { recursive: true });
  for (const { personal } of await Promise.all([north!, south!].map(reportOf))) {
    expect(personal).toMatchObject({ learningRate: 0.1, steps: 6, batch: 10, round: 29 });
    const tried = personal!.test!.rounds.map(({ round }) => round);
    expect(tried).toEqual(Array.from({ length: 30 }, (_, round) => round));
  }
  const { code, stdout } = await west!.ended;
  expect(code).toBe(1);
  const lost = JSON.parse(stdout) as SiteParticipation;
  expect([lost.status, lost.personal!.problem]).toEqual([
    'finished',
    '"own/west.onnx" cannot be written: there is no such file or folder.',
  ]);
  // It is kept, and the same command writes it.
  await mkdir(own);
  expect((await reportOf(joined('west'))).personal).toMatchObject({ round: 29 });
  expect((await readFile(join(own, 'west.onnx'))).length).toBeGreaterThan(500);
}, 180_000);

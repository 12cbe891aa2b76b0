/**
 * `skein privacy canaries` and `skein privacy audit --model` as their users run them: a federation of a real node trains on
 * canaries, without noise and with it, and its model is audited as a file.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FederationView } from '@skein/api';
import type { AuditReport } from '@skein/train';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../testing/cli.ts';
import { type FederationScene, openFederationScene } from '../../testing/federation-scene.ts';

const CANARIES = 200;
const data = {
  features: [
    {
      name: 'code',
      kind: 'category',
      categories: Array.from({ length: CANARIES }, (_, i) => `c${i}`),
    },
  ],
  target: { name: 'ill', kind: 'category', classes: ['no', 'yes'] },
};
const PLAN = {
  data,
  strategy: { name: 'fedsgd', learningRate: 200 },
  rounds: 4,
  sites: { minimum: 2, maximum: 2 },
};
const OPEN = { ...PLAN, strategy: { name: 'fedavg' }, local: { steps: 50, learningRate: 20 } };

let scene: FederationScene;
beforeAll(async () => {
  scene = await openFederationScene([]);
  const { folder } = scene;
  const privacy = { mode: 'patient', noise: 20, epsilon: 1, denominator: 100 };
  await writeFile(join(folder, 'private.json'), JSON.stringify({ ...PLAN, privacy }));
  const open = { ...OPEN, privacy: { mode: 'none' } };
  await writeFile(join(folder, 'open.json'), JSON.stringify(open));
  const others = Array.from({ length: 20 }, (_, i) => `c${i},${i % 2 === 0 ? 'no' : 'yes'}`);
  await writeFile(join(folder, 'others.csv'), ['code,ill', ...others, ''].join('\n'));
  await skein('canaries', 'open.json', '--canaries', `${CANARIES}`);
}, 60_000);
afterAll(() => scene?.[Symbol.asyncDispose]());

const skein = (...args: string[]) => runCli(['privacy', ...args, '--json'], { cwd: scene.folder });

/** The files of the first and of the resulting version, as the node stores them. */
async function trained(plan: string): Promise<{ before: string; model: string }> {
  const sites = ['canaries', 'others'];
  const { federation, invitations } = await scene.node.json<{
    federation: FederationView;
    invitations: { name: string; link: string }[];
  }>(
    'federate',
    'start',
    `${plan}.json`,
    '--name',
    plan,
    ...sites.flatMap((name) => ['--site', name]),
  );
  const files = ['canaries.train.jsonl', 'others.csv'];
  const ends = await Promise.all(
    invitations.map(
      ({ link }, i) =>
        scene.start(`${plan}-${i}`, 'join', link, '--data', files[i]!, '--accept').ended,
    ),
  );
  for (const { code, stderr } of ends) expect(code, stderr).toBe(0);
  await expect
    .poll(async () => (await scene.client.getFederation({ id: federation.id })).version, {
      timeout: 60_000,
    })
    .toBeDefined();
  const { versions } = await scene.client.listVersions({ name: plan });
  const stored = await readdir(scene.folder, { recursive: true });
  const [before, model] = versions
    .toSorted((a, b) => Number(a.version) - Number(b.version))
    .map(({ digest }) => stored.find((path) => path.endsWith(digest))!);
  return { before: before!, model: model! };
}

const audit = async (model: string, before: string) => {
  const files = ['--model', model, '--before', before, '--data', 'canaries.jsonl'];
  const claim = ['--plan', 'open.json', '--epsilon', '1', '--delta', '1e-6'];
  const { code, stdout } = await skein('audit', ...files, ...claim);
  return { code, report: JSON.parse(stdout) as AuditReport };
};

describe('the model of a federation as a file', () => {
  it('shows which rows it was trained on where no noise hides them', async () => {
    const { model, before } = await trained('open');
    const { code, report } = await audit(model, before);
    expect(report).toMatchObject({ verdict: 'violated', claimed: 1 });
    expect(code).toBe(1);
  }, 120_000);

  it('shows nothing with the noise of the plan', async () => {
    const { model, before } = await trained('private');
    const { code, report } = await audit(model, before);
    expect(report).toMatchObject({ verdict: 'holds', findings: [], oneRun: { made: 100 } });
    expect(code).toBe(0);
  }, 120_000);
});

it('refuses what is not of an audit of a model', async () => {
  const { folder } = scene;
  const lines = (await readFile(join(folder, 'canaries.train.jsonl'), 'utf8')).trim().split('\n');
  expect(lines.length).toBeGreaterThan(CANARIES / 4);
  expect(lines.every((line) => !line.includes('skein_included'))).toBe(true);
  await writeFile(join(folder, 'not.onnx'), 'not a model');
  await writeFile(join(folder, 'aged.csv'), 'age,ill\n20,no\n30,no\n60,yes\n70,yes\n80,yes\n');
  const train = [
    'train',
    '--model',
    'mlp',
    '--data',
    'aged.csv',
    '--label',
    'ill',
    '--epochs',
    '1',
  ];
  expect(await runCli([...train, '--out', 'aged.onnx'], { cwd: folder })).toMatchObject({
    code: 0,
  });
  // Two classes by name have two logits; a model of the plan has one.
  const coded = train.with(4, 'others.csv').concat('--features', 'code', '--out', 'coded.onnx');
  expect(await runCli(coded, { cwd: folder })).toMatchObject({ code: 0 });
  const model = ['audit', '--model', 'not.onnx'];
  const whole = [...model, '--data', 'canaries.jsonl', '--plan', 'open.json', '--epsilon', '1'];
  for (const [args, code] of [
    [model, 'USAGE'],
    [['audit', '--epsilon', '1'], 'USAGE'],
    [[...whole, '--rounds', '3'], 'USAGE'],
    [['audit', 'https://node.example/join#skein-join_x', ...whole.slice(1)], 'USAGE'],
    [whole, 'MODEL_FILE_INVALID'],
    [whole.with(2, 'aged.onnx'), 'TRAINING_MODEL_UNFIT'],
    [whole.with(2, 'coded.onnx'), 'TRAINING_MODEL_UNFIT'],
    [['canaries', 'not.onnx'], 'PLAN_INVALID'],
  ] as const) {
    const { stdout, stderr } = await skein(...args);
    expect(JSON.parse(stdout), stderr).toMatchObject({ code });
  }
});

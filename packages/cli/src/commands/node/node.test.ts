/** The commands against a real node, in the order in which a person would use them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditView, DeploymentView, FleetView, MemberView } from '@skein/api';
import { GraphBuilder, tensor, writeModel, type Dimension } from '@skein/onnx';
import type { VersionsListed } from '../serving/versions.ts';
import type { Deployed } from '../../deploying/deploying.ts';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';
import { hungry } from '../../../../runtime/src/testing/models.ts';
import { runCli, startCli } from '../../testing/cli.ts';
import type { BenchResult } from '../../output/bench.ts';

/** y = factor · x, for rows of two. */
function scaling(factor: number, rows: Dimension = 'batch'): Uint8Array {
  const graph = new GraphBuilder('scaling');
  const x = graph.input('x', 'float32', [rows, 2]);
  const w = graph.initializer(
    'w',
    tensor('float32', [2, 2], Float32Array.of(factor, 0, 0, factor)),
  );
  const [y] = graph.node('MatMul', [x, w], {}, { outputs: ['y'] });
  graph.output(y, 'float32', [rows, 2]);
  return writeModel(graph.model());
}

/** One byte string in, its length in bytes and the same string out. */
const COMPOSITION = `
export const composition = {
  inputs: [{ name: 'image', type: 'string', shape: [1] }],
  outputs: [{ name: 'text', type: 'string', shape: [1] }],
  calls: [],
  async run(inputs) {
    const size = inputs.get('image').elements[0].byteLength;
    const elements = [new TextEncoder().encode(size + ' bytes')];
    return new Map([['text', { type: 'string', shape: [1], elements }]]);
  },
};
`;

const words = (line: string): string[] => line.split(' ');

let node: NodeProcess;

beforeAll(async () => {
  node = await startNodeProcess();
  writeFileSync(join(node.folder, 'one.onnx'), scaling(2));
  writeFileSync(join(node.folder, 'fixed.onnx'), scaling(2, 1));
  writeFileSync(join(node.folder, 'two.onnx'), scaling(3));
  writeFileSync(join(node.folder, 'cut.onnx'), scaling(2).subarray(0, 100));
  writeFileSync(join(node.folder, 'size.composition.ts'), COMPOSITION);
});
afterAll(() => node.stop());

describe('a model', () => {
  it('is deployed with its settings, and can be called by the lines that are printed', async () => {
    const { code, stdout, stderr } = await node.run(
      ...words('deploy one.onnx --name risk --objective 2s --replicas 1'),
      ...words('--max-batch 8 --metadata author=ada'),
    );
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('risk v1 is served');
    const curl = /curl -s (\S+) -d '(.+)'/.exec(stdout);
    const response = await fetch(curl?.[1] ?? '', { method: 'POST', body: curl?.[2] ?? '' });
    expect(await response.json()).toMatchObject({ outputs: [{ name: 'y', data: [0, 0] }] });

    const view = (await node.json<{ deployment: DeploymentView }>('show', 'risk')).deployment;
    expect(view.settings).toMatchObject({
      objective: { latencyMs: 2000 },
      replicas: { min: 1, max: 1 },
      batching: { maxRows: 8 },
    });
  });

  it('answers', async () => {
    const { stdout } = await node.run('infer', 'risk', '--data', '{"x": [[1, 2], [3, 4.5]]}');
    expect(stdout).toBe('y float32[2, 2]\n  2  4\n  6  9\n');
    const answer = await node.json<{ outputs: unknown }>('infer', 'risk', '-i', 'x=[5,6]');
    expect(answer.outputs).toEqual({ y: { type: 'float32', shape: [1, 2], data: [[10, 12]] } });
  });

  it('answers with the names of its classes', async () => {
    const { code } = await node.run(
      ...words('deploy one.onnx --name named --replicas 1 --metadata'),
      'labels=["low","high"]',
    );
    expect(code).toBe(0);
    const { stdout } = await node.run('infer', 'named', '--data', '{"x": [[1, 2], [3, 2]]}');
    expect(stdout).toContain('y.class string[2]\n  high\n  low\n');
    const { outputs } = await node.json<{ outputs: object }>('infer', 'named', '-i', 'x=[5,6]');
    expect(outputs).toMatchObject({ 'y.class': { data: ['high'] } });
    await node.run('undeploy', 'named');
  });

  it('whose batch is fixed at 1 is deployed with the way to open it', async () => {
    const { stdout } = await node.run(...words('deploy fixed.onnx --name fixed --replicas 1'));
    expect(stdout).toContain("torch.onnx.export(…, dynamic_axes={'x': {0: 'batch'}})");
    await node.run('undeploy', 'fixed');
  });

  it('is listed and shown with its history', async () => {
    expect((await node.run('ls', '--names')).stdout).toBe('risk\n');
    expect((await node.run('ls')).stdout).toMatch(/risk +ready +v1 +1 ready \(1\) +p99 ≤ 2.00 s/);
    const { stdout } = await node.run('show', 'risk');
    expect(stdout).toMatch(/inputs +x float32\[batch, 2\]/);
    expect(stdout).toMatch(/deployed +local/);
  });

  it('is replaced by a new version, and restored by a rollback', async () => {
    const deployed = await node.json<Deployed>('deploy', 'two.onnx', '--name', 'risk');
    expect(deployed.version.version).toBe('2');
    expect((await node.run('infer', 'risk', '-i', '[1,1]')).stdout).toContain('3  3');
    const old = await node.run('infer', 'risk', '-i', '[1,1]', '--version', '1');
    expect(old.code).toBe(1);
    expect((await node.run('rollback', 'risk', '--reason', 'wrong')).stdout).toBe(
      'risk is back to v1.\n',
    );
    expect((await node.run('infer', 'risk', '-i', '[1,1]')).stdout).toContain('2  2');
    expect((await node.run('show', 'risk')).stdout).toMatch(/rolled-back +local +.*wrong/);
  });

  it('reports of a rollback that only settings were restored', async () => {
    await node.run('settings', 'risk', '--max-queue', '7');
    expect((await node.run('rollback', 'risk')).stdout).toBe(
      'risk is back to its settings before: maxQueue. It serves v1 as it did; skein rollout risk --version N serves another version.\n',
    );
  });

  it('rolls out by steps, and the wait for its end reports how it ended', async () => {
    const started = await node.run(
      ...words('rollout risk --version 2 --canary 50 --step-time 100ms --min-requests 1'),
    );
    expect([started.code, started.stdout]).toEqual([0, expect.stringContaining('v1 → v2')]);
    const load = node.run(...words('bench risk --rate 50 --duration 2s --warmup 100ms'));
    const watched = await node.run('rollout', 'risk', '--watch');
    await load;
    expect([watched.code, watched.stdout]).toEqual([0, expect.stringContaining('finished')]);
    expect((await node.run('ls')).stdout).toMatch(/risk +ready +v2/);
  });

  it('is taken from the stored versions, with other settings', async () => {
    const { settings, targets } = await node.json<DeploymentView>(
      ...words('rollout risk --version 1 --max-queue 7'),
    );
    expect([settings.maxQueue, targets]).toMatchObject([7, [{ version: '1' }]]);
    const changed = await node.run(
      ...words('settings risk --max-queue 9 --replicas 0..1 --idle 2m'),
    );
    expect(changed.stdout).toMatch(
      /replicas +0–1\nidle +after 2 min.*\n[^]*queue +up to 9 requests/,
    );
    expect((await node.run('settings', 'risk')).stdout).toBe(changed.stdout);
    const without = await node.run(...words('rollout risk --max-queue 7'));
    expect([without.code, without.stderr]).toEqual([2, expect.stringContaining('--version N')]);
    await node.run('undeploy', 'risk');
    const again = await node.run(...words('rollout risk --version 2 --replicas 1'));
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('risk serves v2')]);
  });

  it('is refused when it is none, before it travels', async () => {
    const { code, stderr } = await node.run('deploy', 'cut.onnx', '--name', 'cut');
    expect(code).toBe(1);
    expect(stderr).toContain('(MODEL_FILE_INVALID)');
    expect(stderr).toContain('"cut.onnx"');
    expect((await node.run('show', 'cut')).stderr).toContain('(MODEL_UNKNOWN)');
  });

  it('leaves nothing in the repository index when its deploy is refused', async () => {
    writeFileSync(join(node.folder, 'hungry.onnx'), hungry());
    const deploy = words('deploy hungry.onnx --isolation process --max-memory 512MiB');
    const { code, stderr } = await node.run(...deploy);
    expect([code, stderr]).toEqual([1, expect.stringContaining('(MODEL_MEMORY)')]);
    const index = await fetch(`${node.url}/v2/repository/index`, { method: 'POST' });
    expect(await index.text()).not.toContain('hungry');
  });

  it('has a typed client', async () => {
    const { stdout } = await node.run('client', 'generate', '--out', 'client.ts');
    expect(stdout).toContain('client.ts: risk.');
    const code = readFileSync(join(node.folder, 'client.ts'), 'utf8');
    expect(code).toContain('export interface RiskInputs');
    expect((await node.run('client', 'generate', '--deployment', 'risk')).stdout).toBe(code);
  });
});

it('is redrawn with --watch until Ctrl-C', async () => {
  const watch = startCli(['show', 'risk', '--watch'], { cwd: node.folder });
  await watch.saw(/Versions[^]+Versions/);
  watch.process.kill('SIGINT');
  expect((await watch.ended).code).toBe(130);
  const both = await node.run('show', 'risk', '--watch', '--json');
  expect([both.code, both.stdout]).toEqual([2, expect.stringContaining('exclude each other')]);
});

describe('a composition', () => {
  it('is bundled and deployed, and takes the bytes of a file', async () => {
    const { code, stdout } = await node.run('deploy', 'size.composition.ts');
    expect([code, stdout]).toEqual([0, expect.stringContaining('size v1 is served')]);
    writeFileSync(join(node.folder, 'picture.png'), Buffer.alloc(1234));
    expect((await node.run('infer', 'size', '--image', 'picture.png')).stdout).toBe('1234 bytes\n');
  });
});

describe('the fleet', () => {
  it('of a node alone is one member, which can be shown; its upgrade has nothing to end', async () => {
    const list = await node.run('fleet', 'ls');
    expect(list.stderr).toBe('');
    expect(list.stdout).toMatch(/Live members: 1, needed: 1\. Requests for .* cores are carried/);
    expect(list.stdout).toContain('A fleet of one.');
    const { members } = await node.json<FleetView>('fleet', 'ls', '--json');
    const [{ id, name }] = members as [MemberView];
    for (const called of [id.slice(0, 8), name]) {
      const { stdout } = await node.run('fleet', 'show', called);
      expect(stdout).toContain(id);
      expect(stdout).toMatch(/risk +\d/);
    }
    const unknown = await node.run('fleet', 'show', 'nothing');
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining(id.slice(0, 8))]);
    const { stdout } = await node.run('fleet', 'finalise');
    expect(stdout).toContain('writes schema 1 already; there was nothing to end');
    const adopted = await node.run('fleet', 'adopt');
    expect([adopted.code, adopted.stdout]).toEqual([0, expect.stringContaining('in no fleet')]);
  });
});

describe('bench', () => {
  const short = '--duration 300ms --warmup 100ms';

  it.each(['binary', 'json', 'grpc'])('sends at a rate over %s', async (protocol) => {
    const { at } = await node.json<BenchResult>(
      ...words(`bench risk --rate 100 --arrivals constant --protocol ${protocol} ${short}`),
    );
    expect(at?.sent).toBe(30);
    expect(at?.answered).toBe(30);
    expect(at?.failed).toEqual({});
  });

  it('finds a capacity, overloads it and draws the curve', { timeout: 60_000 }, async () => {
    const result = await node.json<BenchResult>(
      ...words('bench risk --overload 2x --svg curve.svg --duration 100ms --warmup 50ms'),
    );
    expect(result.capacity?.rate).toBeGreaterThan(10);
    expect(result.overload?.factor).toBe(2);
    expect(readFileSync(join(node.folder, 'curve.svg'), 'utf8')).toMatch(/^<svg/);
    const { stdout } = await node.run(...words(`bench risk --rate 50 ${short}`));
    expect(stdout).toMatch(/latency +p50 .* p99.9 /);
  });
});

it('the first Ctrl-C waits for what was accepted, the second does not', async () => {
  const slow = COMPOSITION.replace(
    'const size',
    'await new Promise(() => setTimeout(() => {}, 1e6)); const size',
  );
  writeFileSync(join(node.folder, 'slow.ts'), slow);
  const up = startCli(words('up --port 0 --grpc-port 0 --log off --json --data slow'), {
    cwd: node.folder,
  });
  await up.saw(/^\}$/m);
  const { url } = JSON.parse(up.output.stdout) as { url: string };
  const place = { cwd: node.folder, env: { SKEIN_URL: url } };
  expect((await runCli(words('deploy slow.ts --objective 10m'), place)).code).toBe(0);
  const asked = startCli(words('infer slow --image picture.png'), place);
  await expect
    .poll(async () => (await fetch(`${url}/metrics`)).text(), { timeout: 10_000 })
    .toMatch(/in_flight\S*\{[^}]*slow[^}]*\} 1/);
  up.process.kill('SIGINT');
  await up.saw(/Draining/);
  const again = setInterval(() => up.process.kill('SIGINT'), 200);
  expect((await up.ended).code).toBe(130);
  clearInterval(again);
  expect((await asked.ended).code).toBe(1);
});

it('stored versions are listed with their sizes, and removed unless they take traffic', async () => {
  const traffic = async (): Promise<(string | number | undefined)[][]> => {
    const { versions } = await node.json<VersionsListed>('versions', 'ls', 'risk');
    return versions.map((each) => [each.version, each.traffic]);
  };
  expect((await node.run('deploy', 'one.onnx', '--name', 'risk')).code).toBe(0);
  expect((await node.run('deploy', 'two.onnx', '--name', 'risk')).code).toBe(0);
  expect(await traffic()).toEqual([
    ['2', 1],
    ['1', undefined],
  ]);
  expect((await node.run('versions', 'ls')).stdout).toMatch(/risk +v1 +\d+ B +/);

  const refused = await node.run(...words('versions rm risk v2'));
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('VERSION_IN_USE')]);
  const unclear = await node.run(...words('versions rm risk 1 --keep 1'));
  expect([unclear.code, unclear.stderr]).toEqual([2, expect.stringContaining('either')]);
  const few = await node.run(...words('versions rm risk --keep 2'));
  expect(few.stdout).toBe('risk has no other versions without traffic.\n');

  const removed = await node.run(...words('versions rm risk --keep 1'));
  expect(removed.stdout).toContain('v1 of risk is removed.');
  expect(await traffic()).toEqual([['2', 1]]);
  expect((await node.run('rollback', 'risk')).stderr).toContain('VERSION_UNKNOWN');
  expect((await node.run('infer', 'risk', '-i', '[1,1]')).stdout).toContain('3  3');
});

it('the audit trail shows who has changed what, also what was refused', async () => {
  const { entries } = await node.json<{ entries: AuditView[] }>('audit', '--subject', 'risk');
  expect(entries.at(-1)).toMatchObject({ actor: 'local', outcome: 'ok', subject: 'risk' });
  expect(new Set(entries.map(({ subject }) => subject))).toEqual(new Set(['risk']));
  const one = await node.run(...words('audit --action removeVersion --limit 1'));
  expect(one.stdout).toMatch(/WHEN .*\n.*removeVersion +(ok|VERSION_IN_USE) +risk/);
  expect(one.stdout.trim().split('\n')).toHaveLength(2);
  expect((await node.run(...words('audit --actor abc'))).stdout).toContain('no such entry');
});

it('an undeployed model is unknown', async () => {
  expect((await node.run('undeploy', 'risk')).code).toBe(0);
  expect((await node.json<{ names: string[] }>('ls', '--names')).names).toEqual(['size']);
  const { code, stderr } = await node.run('infer', 'risk', '-i', '[1,2]');
  expect([code, stderr]).toEqual([1, expect.stringContaining('(MODEL_UNKNOWN)')]);
});

/** Deployments on a node with two cores: what a newcomer does there works as the guides and the messages print it. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DeploymentView, RunSummary } from '@skein/api';
import { GraphBuilder, writeModel } from '@skein/onnx';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';
import type { Deployed } from '../../deploying/deploying.ts';

const ROOT = join(import.meta.dirname, '../../../../..');
const GUIDE = readFileSync(join(ROOT, 'docs/guide/serving.md'), 'utf8');
const COMPOSITION = `
export const composition = {
  inputs: [{ name: 'x', type: 'float32', shape: [1] }],
  outputs: [{ name: 'y', type: 'float32', shape: [1] }],
  calls: [],
  run: async (inputs) => new Map([['y', inputs.get('x')]]),
};
`;

function model(name: string): Uint8Array {
  const graph = new GraphBuilder(name);
  const x = graph.input('x', 'float32', ['batch', 1]);
  const [y] = graph.node('Identity', [x], {}, { outputs: ['y'] });
  graph.output(y, 'float32', ['batch', 1]);
  return writeModel(graph.model());
}

let node: NodeProcess;
beforeAll(async () => {
  node = await startNodeProcess({ args: ['--cores', '2'] });
  for (const name of ['risk', 'fraud', 'heart']) {
    writeFileSync(join(node.folder, `${name}.onnx`), model(name));
  }
  writeFileSync(join(node.folder, 'echo.composition.ts'), COMPOSITION);
  copyFileSync(join(ROOT, 'examples/wdbc/wdbc.csv'), join(node.folder, 'wdbc.csv'));
});
afterAll(() => node.stop());

/** Runs a command of the guide as it is printed there. */
async function asPrinted(start: string): Promise<string> {
  const [, line] = new RegExp(`\`npx skein (${start}[^\`]*)\``).exec(GUIDE) ?? [];
  const { code, stdout, stderr } = await node.run(...(line ?? start).split(' '));
  expect([line === undefined, code, stderr]).toEqual([false, 0, '']);
  return stdout;
}

it('a refused deploy names the option that works, and uses no version number', async () => {
  for (const name of ['risk', 'fraud']) await node.json('deploy', `${name}.onnx`);
  const refused = await node.run('deploy', 'heart.onnx', '--replicas', '1');
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringContaining('DEPLOYMENT_INVALID'),
  ]);
  const [, option = ''] = /(--replicas 0\.\.1)/.exec(refused.stderr) ?? [];
  const { version } = await node.json<Deployed>('deploy', 'heart.onnx', ...option.split(' '));
  expect(version.version).toBe('1');
  await node.run('undeploy', 'heart');
});

it('a third deployment takes a core only while it gets requests', async () => {
  const { deployment } = await node.json<Deployed>('deploy', 'heart.onnx');
  expect(deployment.settings.replicas).toMatchObject({ min: 0, max: 1 });
  await node.run('undeploy', 'heart');
  const stored = await node.json<DeploymentView>('rollout', 'heart', '--version', '1');
  expect(stored.settings.replicas).toMatchObject({ min: 0, max: 1 });
});

it('the commands of the guide change settings and serve a stored version', async () => {
  expect(await asPrinted('settings risk --replicas')).toMatch(/objective +.*250 ms/);
  expect(await asPrinted('settings risk')).toMatch(/replicas +/);
  writeFileSync(join(node.folder, 'risk.onnx'), model('next'));
  await node.json('deploy', 'risk.onnx');
  expect(await asPrinted('rollout risk --version')).toContain('v2 → v1');
});

it('a training whose model the node would refuse does not begin', async () => {
  await node.json('deploy', 'echo.composition.ts');
  const { code, stderr } = await node.run(
    ...'train --model mlp:4 --data wdbc.csv --label diagnosis --epochs 1 --deploy echo'.split(' '),
  );
  expect([code, stderr]).toEqual([1, expect.stringContaining('has the kind composition')]);
  const { runs } = await node.json<{ runs: RunSummary[] }>('runs', 'ls');
  expect(runs).toEqual([]);
});

/** The serving plane with all real parts: ONNX Runtime, worker threads, SQLite and artifacts on disk. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testFolder } from '../../../scripts/testing/folder.ts';
import { DeploymentView, RolloutPlan } from '@skein/api';
import { mlp, tensor, values, writeModel, type NumericTensor, type TensorMap } from '@skein/onnx';
import { nativeRuntime } from '@skein/runtime';
import { openFileArtifacts, openSqliteState, type State } from '@skein/state';
import { createRegistry } from './registry/registry.ts';
import type { Registry } from './registry/contract.ts';
import { describeComposition } from './composition/describe-composition.ts';
import type { ServingObserver } from './contract.ts';
import { createServing, type Serving } from './serving.ts';
import { codeOf, request } from './testing/scene.ts';
import { sendUntil } from './testing/await-events.ts';

const ACTOR = 'tester';
const clock = { now: () => performance.now() };
const observer: ServingObserver = {
  answered() {},
  refused() {},
  batchRan() {},
  replicaChanged() {},
};
const pipeline = new URL('./testing/pipeline.ts', import.meta.url).pathname;

let folder: string;
let state: State;
let registry: Registry;
const nodes: Serving[] = [];

beforeEach(async () => {
  folder = testFolder();
  state = await openSqliteState(':memory:');
  registry = createRegistry({
    state,
    artifacts: await openFileArtifacts(folder),
    limits: { maxModelBytes: 1 << 24 },
    describeComposition,
  });
});
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.drain()));
  await state.close();
});

async function node(): Promise<Serving> {
  const serving = createServing({
    state,
    registry,
    runtime: nativeRuntime,
    clock,
    observer,
    cores: 2,
    log: (message, details) => console.error(message, details),
  });
  nodes.push(serving);
  await serving.start();
  return serving;
}

async function importMlp(
  model: string,
  sizes: [number, number, ...number[]],
  seed: number,
): Promise<string> {
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield writeModel(mlp({ sizes, seed }));
  }
  return (await registry.importModel(model, bytes(), {})).version;
}

const x = (rows: number, width: number): TensorMap =>
  new Map([
    [
      'x',
      tensor(
        'float32',
        [rows, width],
        Float32Array.from({ length: rows * width }, (_, i) => Math.sin(i)),
      ),
    ],
  ]);

const numbers = (outputs: TensorMap): number[] =>
  Array.from(values(outputs.get('y') as NumericTensor) as Float32Array);

/** The answer of the bare runtime, without the serving plane. */
async function bare(
  sizes: [number, number, ...number[]],
  seed: number,
  input: TensorMap,
): Promise<TensorMap> {
  const session = await nativeRuntime.open(
    { bytes: writeModel(mlp({ sizes, seed })) },
    { device: 'cpu', threads: 1, isolation: 'thread' },
  );
  const { outputs } = await session.run(input);
  await session.close();
  return outputs;
}

const LONG = { objective: { latencyMs: 10_000 } };

describe('a node', () => {
  it('answers as the bare runtime does, also after a restart', async () => {
    const version = await importMlp('risk', [8, 16, 3], 7);
    const first = await node();
    const view = await first.deploy({ name: 'risk', version, settings: LONG }, ACTOR);
    expect(view.status).toBe('ready');
    expect(view.signature.inputs).toEqual([{ name: 'x', type: 'float32', shape: ['batch', 8] }]);
    // The view matches the API, also after JSON serialisation.
    const sent: unknown = JSON.parse(JSON.stringify(view));
    expect(DeploymentView.parse(sent)).toEqual(sent);
    const expected = numbers(await bare([8, 16, 3], 7, x(2, 8)));
    const ask = (of: Serving) => of.infer(request('risk', { inputs: x(2, 8) }));
    expect(numbers((await ask(first)).outputs)).toEqual(expected);
    await first.drain();
    expect(await codeOf(ask(first))).toBe('NODE_DRAINING');

    const second = await node();
    expect(second.view('risk')).toMatchObject({ status: 'ready', revision: 1 });
    expect(numbers((await ask(second)).outputs)).toEqual(expected);
  });

  it('runs a composition of two models in its own thread', async () => {
    const serving = await node();
    for (const [name, sizes, seed] of [
      ['first', [8, 16, 4], 1],
      ['second', [4, 8, 3], 2],
    ] as const) {
      const version = await importMlp(name, [...sizes], seed);
      await serving.deploy({ name, version, settings: LONG }, ACTOR);
    }
    const { version } = await registry.importComposition('pipeline', pipeline, {});
    const view = await serving.deploy({ name: 'pipeline', version, settings: LONG }, ACTOR);
    expect(view).toMatchObject({ kind: 'composition', status: 'ready' });
    const hidden = await bare([8, 16, 4], 1, x(3, 8));
    const expected = numbers(await bare([4, 8, 3], 2, new Map([['x', hidden.get('y')!]])));
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => serving.infer(request('pipeline', { inputs: x(3, 8) }))),
    );
    for (const { outputs } of answers) expect(numbers(outputs)).toEqual(expected);
    expect(await codeOf(serving.undeploy('first', ACTOR))).toBe('DEPLOYMENT_INVALID');
    // The caller of the composition gets the callee's error.
    await serving.undeploy('pipeline', ACTOR);
    await serving.undeploy('first', ACTOR);
    expect(await codeOf(serving.deploy({ name: 'pipeline', version }, ACTOR))).toBe(
      'COMPOSITION_INVALID',
    );
  });

  it('swaps versions and settings under load and drops no request', async () => {
    const serving = await node();
    const versions = [];
    for (const seed of [1, 2, 3]) versions.push(await importMlp('risk', [8, 16, 3], seed));
    await serving.deploy({ name: 'risk', version: versions[0]!, settings: LONG }, ACTOR);
    const stop = new AbortController();
    const outcomes: Promise<string>[] = [];
    const load = (async () => {
      while (!stop.signal.aborted) {
        for (let i = 0; i < 8; i++) {
          outcomes.push(codeOf(serving.infer(request('risk', { inputs: x(1, 8) }))));
        }
        await outcomes.at(-1);
      }
    })();
    for (const version of versions.slice(1)) await serving.deploy({ name: 'risk', version }, ACTOR);
    await serving.changeSettings('risk', { batching: { maxRows: 4 } }, ACTOR);
    await serving.rollback('risk', 'try it', ACTOR);
    stop.abort();
    await load;
    const counts = new Map<string, number>();
    for (const outcome of await Promise.all(outcomes)) {
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    }
    expect([...counts.keys()]).toEqual(['succeeded']);
    expect(outcomes.length).toBeGreaterThan(50);
    expect(serving.view('risk').targets.map(({ version }) => version)).toEqual(['3']);
  });

  it('rolls back a shadow that answers differently', async () => {
    const serving = await node();
    const same = await importMlp('risk', [8, 16, 3], 5);
    await serving.deploy({ name: 'risk', version: same, settings: LONG }, ACTOR);
    const other = await importMlp('risk', [8, 16, 3], 6);
    const plan = RolloutPlan.parse({
      strategy: 'shadow',
      steps: [100],
      stepMs: 100,
      minRequests: 5,
      tolerance: 1e-6,
    });
    const scene = { serving };
    const send = () => serving.infer(request('risk', { inputs: x(1, 8) }));
    await serving.deploy({ name: 'risk', version: other, plan }, ACTOR);
    const back = await sendUntil(scene, 'rolled-back', send);
    expect(back.reason).toContain('more than the tolerance of 0.000001');
    expect(serving.view('risk').rollout?.comparison?.maxDifference).toBeGreaterThan(1e-6);
    expect((await send()).version).toBe(same);
  });

  it('starts a replica from zero if the deadline allows it', async () => {
    const version = await importMlp('risk', [8, 16, 3], 7);
    const first = await node();
    const settings = { ...LONG, replicas: { min: 0, max: 1 } };
    await first.deploy({ name: 'risk', version, settings }, ACTOR);
    await first.drain();
    const second = await node();
    expect(second.view('risk').status).toBe('idle');
    const answer = await second.infer(request('risk', { inputs: x(1, 8) }));
    expect(answer.version).toBe(version);
    expect(second.view('risk').status).toBe('ready');
  });
});

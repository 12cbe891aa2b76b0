/**
 * One artifact, three places: a training step takes the same steps in the native library, in
 * WebAssembly in Node, and in WebAssembly in a page of Chromium.
 */
import {
  batchNorm,
  conv,
  dense,
  flatten,
  maxPool,
  sequential,
  values,
  withLoss,
  writeModel,
  type Layer,
} from '@skein/onnx';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { adamW } from '../optimisers/adam.ts';
import type { Optimiser } from '../optimisers/optimiser.ts';
import { sgd } from '../optimisers/sgd.ts';
import { nativeBackend } from '../run/native-backend.ts';
import { wasmBackend } from '../run/wasm-backend.ts';
import { trainingStep } from '../step/training-step.ts';
import { servePage, type PageServer } from './testing/page-server.ts';
import { takeSteps, type Plan, type Taken } from './testing/take-steps.ts';

const CLASSES = 5;
const STEPS = 20;

interface Artifact {
  readonly model: Uint8Array;
  readonly plan: Plan;
}

function artifact(
  shape: readonly number[],
  layers: readonly Layer[],
  optimiser: Optimiser,
  rate: number,
): Artifact {
  const network = sequential({ input: { shape }, layers, seed: 3, batch: 16 });
  const graded = withLoss(network, { loss: { kind: 'cross-entropy' } });
  const { model, initial, ...plan } = trainingStep(graded.model, { ...graded, optimiser });
  const weights = Object.fromEntries(
    [...initial].map(([name, each]) => [name, Array.from(values(each), Number)]),
  );
  return {
    model: writeModel(model),
    plan: { ...plan, weights, classes: CLASSES, steps: STEPS, rate },
  };
}

const ARTIFACTS: Readonly<Record<string, Artifact>> = {
  perceptron: artifact(
    [24],
    [dense({ units: 32, activation: 'relu' }), dense({ units: CLASSES })],
    adamW(),
    0.01,
  ),
  convolutions: artifact(
    [1, 12, 12],
    [
      conv({ filters: 6, kernel: 3, bias: false }),
      batchNorm(),
      maxPool(),
      conv({ filters: 8, kernel: 3, stride: 2, activation: 'relu' }),
      flatten(),
      dense({ units: CLASSES }),
    ],
    sgd({ momentum: 0.9 }),
    0.05,
  ),
};

/** The largest difference, relative to the largest number of its tensor. */
function difference(found: readonly number[], wanted: readonly number[]): number {
  expect(found).toHaveLength(wanted.length);
  const scale = Math.max(...wanted.map(Math.abs));
  return Math.max(...wanted.map((each, i) => Math.abs(found[i]! - each))) / scale;
}

function expectSame(found: Taken, wanted: Taken): void {
  expect(difference(found.losses, wanted.losses)).toBeLessThan(1e-4);
  expect(Object.keys(found.tensors)).toEqual(Object.keys(wanted.tensors));
  for (const [name, each] of Object.entries(wanted.tensors)) {
    expect(difference(found.tensors[name]!, each), name).toBeLessThan(1e-4);
  }
}

const native = new Map<string, Taken>();
beforeAll(async () => {
  for (const [name, { model, plan }] of Object.entries(ARTIFACTS)) {
    native.set(name, await takeSteps(nativeBackend, model, plan));
  }
});

describe.each(Object.keys(ARTIFACTS))('%s', (name) => {
  it('learns: it is no standstill that is compared', () => {
    const { plan } = ARTIFACTS[name]!;
    const { losses, tensors } = native.get(name)!;
    expect(new Set(losses).size).toBe(STEPS);
    for (const [each, before] of Object.entries(plan.weights)) {
      expect(difference(tensors[each]!, before), each).toBeGreaterThan(1e-3);
    }
  });

  it('takes the same steps in WebAssembly in Node', async () => {
    const { model, plan } = ARTIFACTS[name]!;
    expectSame(await takeSteps(wasmBackend, model, plan), native.get(name)!);
  });
});

const browserAvailable = requireComponent('chromium');

describe.skipIf(browserAvailable.skip)('in a page of Chromium', () => {
  let server: PageServer;
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];

  beforeAll(async () => {
    server = await servePage(
      new Map<string, Uint8Array | string>(
        Object.entries(ARTIFACTS).flatMap(([name, { model, plan }]) => [
          [`${name}.onnx`, model] as const,
          [`${name}.json`, JSON.stringify(plan)] as const,
        ]),
      ),
    );
    browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    page = await browser.newPage();
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => problems.push(message.text()));
    await page.goto(server.url);
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  it.each(Object.keys(ARTIFACTS))('%s takes the same steps', { timeout: 60_000 }, async (name) => {
    await page.waitForFunction(() => 'train' in globalThis).catch(() => undefined);
    expect(problems).toEqual([]);
    const taken = await page.evaluate<Taken>(`globalThis.train(${JSON.stringify(name)})`);
    expectSame(taken, native.get(name)!);
    expect(problems).toEqual([]);
  });
});

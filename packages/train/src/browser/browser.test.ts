/**
 * One artifact, three places: a training step takes the same steps in the native library, in
 * WebAssembly in Node, and in WebAssembly in a page of Chromium, whether its model was built here or
 * exported from PyTorch.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  batchNorm,
  conv,
  dense,
  dropout,
  flatten,
  maxPool,
  readModel,
  sequential,
  values,
  withLoss,
  writeModel,
  type Layer,
  type LossModel,
  type Model,
} from '@skein/onnx';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from '../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { adamW } from '../optimisers/adam.ts';
import type { Optimiser } from '../optimisers/optimiser.ts';
import { sgd } from '../optimisers/sgd.ts';
import { nativeBackend } from '../run/native-backend.ts';
import { wasmBackend } from '../run/wasm-backend.ts';
import type { GradientChoice } from '../step/differentiated.ts';
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
  graded: Pick<LossModel, 'model'> & GradientChoice,
  optimiser: Optimiser,
  rate: number,
  classes = CLASSES,
): Artifact {
  const { model, initial, ...plan } = trainingStep(graded.model, { ...graded, optimiser });
  const weights = Object.fromEntries(
    [...initial].map(([name, each]) => [name, Array.from(values(each), Number)]),
  );
  return { model: writeModel(model), plan: { ...plan, weights, classes, steps: STEPS, rate } };
}

/** A network of the builder's, with its loss. */
function built(shape: readonly number[], layers: readonly Layer[]): LossModel {
  const network = sequential({ input: { shape }, layers, seed: 3, batch: 16 });
  return withLoss(network, { loss: { kind: 'cross-entropy' } });
}

/** The model and loss that PyTorch exported: packages/onnx/scripts/make-gradient-fixtures.py. */
function exported(name: string): { readonly model: Model; readonly loss: string } {
  const path = `../../../onnx/fixtures/gradients/models/${name}.onnx`;
  return { model: readModel(readFileSync(join(import.meta.dirname, path))), loss: 'loss' };
}

const ARTIFACTS: Readonly<Record<string, Artifact>> = {
  perceptron: artifact(
    built([24], [dense({ units: 32, activation: 'relu' }), dense({ units: CLASSES })]),
    adamW(),
    0.01,
  ),
  'perceptron that drops': artifact(
    built(
      [24],
      [dense({ units: 32, activation: 'relu' }), dropout(0.3), dense({ units: CLASSES })],
    ),
    adamW(),
    0.01,
  ),
  convolutions: artifact(
    built(
      [1, 12, 12],
      [
        conv({ filters: 6, kernel: 3, bias: false }),
        batchNorm(),
        maxPool(),
        conv({ filters: 8, kernel: 3, stride: 2, activation: 'relu' }),
        flatten(),
        dense({ units: CLASSES }),
      ],
    ),
    sgd({ momentum: 0.9 }),
    0.05,
  ),
  'LeNet of PyTorch': artifact(exported('lenet'), adamW(), 0.005),
  'transformer of PyTorch': artifact(exported('transformer'), sgd({ momentum: 0.9 }), 0.05, 4),
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
  it('lowers the loss, so that the comparison covers real updates', () => {
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
    browser = await launchBrowser();
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

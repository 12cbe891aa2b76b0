/** The network that several rows need, trained once. */
import type { Model } from '@skein/onnx';
import { network, pictures, trained } from './fashion.ts';

const STEPS = 2000;
const QUICK_STEPS = 300;

let made: Promise<Model> | undefined;

export function firstVersion(quick: boolean): Promise<Model> {
  const settings = { steps: quick ? QUICK_STEPS : STEPS, rate: 2e-3, seed: 1 };
  made ??= trained(network(), pictures('train'), settings);
  return made;
}

/**
 * The step of a private training: the sum over a batch of gradients that are clipped one by one.
 *
 * Clipping bounds what one example can change; the mean of a batch, clipped, bounds nothing of the
 * kind. Where the layers allow it the sum takes one backward pass (`clippedGradient`); other models
 * take their examples one by one, which is always right and slow.
 */
import {
  clippedGradient,
  gradientName,
  GraphBuilder,
  NORMS,
  OnnxError,
  signatureOf,
  tensor,
  withGraph,
  type LossModel,
  type Model,
  type NumericTensor,
} from '@skein/onnx';
import { copyRow, emptyRows } from '../data/dataset.ts';
import { sgd } from '../optimisers/sgd.ts';
import type { Kept } from '../optimisers/updates.ts';
import { gradientStep, LOSS_SUM } from '../parallel/gradient-step.ts';
import { lengthOf, viewsOf } from '../parallel/numbers.ts';
import type { Backend, BackendOptions, OpenGraph, Tensors } from '../run/backend.ts';
import { differentiated, joined } from '../step/differentiated.ts';
import type { TrainingStep } from '../step/training-step.ts';
import { modelError } from '../train-error.ts';

/** Input of a step: the norm that examples are clipped to. */
const CLIPPING_NORM = 'clipping_norm';

export interface ClippedStep extends Pick<
  TrainingStep,
  'inputs' | 'parameters' | 'initial' | 'loss'
> {
  /** Inputs of one batch, or of one example. */
  readonly model: Model;
  /** Examples per run of the graph. */
  readonly batch: number;
  readonly mode: 'book-keeping' | 'one by one';
  /** Why examples are taken one by one. */
  readonly reason?: string;
}

export interface ClippedSum {
  /**
   * Σ min(1, C / ‖gᵢ‖) · gᵢ, parameters one after the other; an example whose norm is not finite adds zeros.
   * The same memory in each run.
   */
  readonly sum: Float32Array;
  /** ‖gᵢ‖ of each example; 0 for padding. */
  readonly norms: Float32Array;
  /** Sum of the examples' losses. Not private. */
  readonly loss: number;
}

export interface ClippedSession {
  /**
   * @param rows the inputs of a batch; padding has the weight 0.
   * @param norm the largest norm of an example's gradient, C.
   */
  run(rows: Tensors, parameters: Float32Array, norm: number): Promise<ClippedSum>;
  close(): Promise<void>;
}

export interface ClippedStepOptions {
  /** Examples of a batch. */
  readonly batch: number;
  /** Names of parameters that training does not change. */
  readonly frozen?: RegExp;
  /** Takes examples one by one in any case; an oracle for tests. */
  readonly oneByOne?: boolean;
}

/**
 * @param graded the model with its loss for so many examples, with a weight per example.
 * @throws TrainError `model` when examples of a batch depend on each other by design.
 */
export function clippedStep(
  graded: (batch: number) => LossModel,
  { batch, frozen, oneByOne = false }: ClippedStepOptions,
): ClippedStep {
  const whole = graded(batch);
  refuseBatchNormalization(whole.model, frozen);
  if (oneByOne) return singleStep(graded(1), frozen, 'asked for');
  try {
    return keptStep(whole, batch, frozen);
  } catch (error) {
    if (!(error instanceof OnnxError) || error.kind !== 'unsupported') throw error;
    return singleStep(graded(1), frozen, error.message);
  }
}

function keptStep(graded: LossModel, batch: number, frozen: RegExp | undefined): ClippedStep {
  const { model, loss, seeds, weight } = graded;
  const rows = signatureOf(model).inputs.map(({ name }) => name);
  const {
    model: bare,
    type,
    ...kept
  } = differentiated(model, { loss, seeds, frozen }, (open, type) => {
    const border = new GraphBuilder('clipping');
    const norm = border.input(CLIPPING_NORM, type, []);
    return clippedGradient(joined(open, border), { loss, seeds, weight, rows, norm });
  });
  const sums = new GraphBuilder('sums');
  sums.node('Mul', [loss, weight], {}, { outputs: [LOSS_SUM], name: LOSS_SUM });
  sums.output(LOSS_SUM, type, []);
  sums.output(NORMS, type, [batch]);
  for (const { name, shape } of kept.parameters) sums.output(gradientName(name), type, shape);
  return {
    model: joined(withGraph(bare, { output: [] }), sums),
    batch,
    mode: 'book-keeping',
    inputs: signatureOf(model).inputs,
    parameters: float32(kept.parameters),
    initial: kept.initial,
    loss: LOSS_SUM,
  };
}

function singleStep(graded: LossModel, frozen: RegExp | undefined, reason: string): ClippedStep {
  const { model, loss, seeds, weight } = graded;
  const step = gradientStep(model, { loss, seeds, weight, frozen, optimiser: sgd() });
  return {
    model: step.gradient,
    batch: 1,
    mode: 'one by one',
    reason,
    inputs: step.inputs,
    parameters: float32(step.parameters),
    initial: step.initial,
    loss: LOSS_SUM,
  };
}

function float32(parameters: readonly Kept[]): readonly Kept[] {
  const wide = parameters.find(({ type }) => type !== 'float32');
  if (wide === undefined) return parameters;
  throw modelError(`'${wide.name}' is ${wide.type}; private training takes float32.`);
}

function refuseBatchNormalization(model: Model, frozen: RegExp | undefined): void {
  const found = model.graph!.node.find(
    ({ opType, input }) => opType === 'BatchNormalization' && frozen?.test(input[1]!) !== true,
  );
  if (found === undefined) return;
  throw modelError(
    `Node '${found.name || found.output[0]}' (BatchNormalization) mixes the examples of a batch, so that clipping one bounds nothing: use LayerNormalization or GroupNormalization, or freeze it.`,
  );
}

export async function openClipped(
  step: ClippedStep,
  backend: Backend,
  options?: BackendOptions,
): Promise<ClippedSession> {
  const graph = await backend.open(step.model, options);
  return step.mode === 'book-keeping' ? keptSession(step, graph) : singleSession(step, graph);
}

function keptSession({ parameters, batch, loss }: ClippedStep, graph: OpenGraph): ClippedSession {
  const sum = new Float32Array(lengthOf(parameters));
  const norms = new Float32Array(batch);
  const total = new Float32Array(1);
  const bound = new Float32Array(1);
  const into = new Map<string, NumericTensor>([
    ...viewsOf(parameters, sum, gradientName),
    [NORMS, tensor('float32', [batch], norms)],
    [loss, tensor('float32', [], total)],
  ]);
  const norm = tensor('float32', [], bound);
  return {
    async run(rows, vector, limit) {
      bound[0] = limit;
      const feeds = new Map([...rows, ...viewsOf(parameters, vector), [CLIPPING_NORM, norm]]);
      await graph.run(feeds, into);
      return { sum, norms, loss: total[0]! };
    },
    close: () => graph.close(),
  };
}

function singleSession(
  { parameters, inputs, loss }: ClippedStep,
  graph: OpenGraph,
): ClippedSession {
  const length = lengthOf(parameters);
  const [sum, one] = [new Float32Array(length), new Float32Array(length)];
  const lossOfOne = new Float32Array(1);
  const into = new Map<string, NumericTensor>([
    ...viewsOf(parameters, one, gradientName),
    [loss, tensor('float32', [], lossOfOne)],
  ]);
  return {
    async run(rows, vector, limit) {
      const count = rows.get(inputs[0]!.name)!.shape[0]!;
      const norms = new Float32Array(count);
      const weights = viewsOf(parameters, vector);
      let total = 0;
      sum.fill(0);
      for (let row = 0; row < count; row++) {
        const feeds = new Map([...rowOf(rows, row), ...weights]);
        await graph.run(feeds, into);
        total += lossOfOne[0]!;
        const length = Math.sqrt(one.reduce((square, each) => square + each * each, 0));
        norms[row] = length;
        const factor = limit / Math.max(length, limit);
        // An example whose gradient is not finite takes as many products, and adds zeros.
        const isFinite = Number.isFinite(length);
        for (let i = 0; i < sum.length; i++) {
          const clipped = factor * one[i]!;
          sum[i] = sum[i]! + (isFinite ? clipped : 0);
        }
      }
      return { sum, norms, loss: total };
    },
    close: () => graph.close(),
  };
}

function rowOf(rows: Tensors, row: number): Map<string, NumericTensor> {
  const found = new Map<string, NumericTensor>();
  for (const [name, all] of rows) {
    const one = emptyRows(all, 1);
    copyRow(all, row, one, 0);
    found.set(name, one);
  }
  return found;
}

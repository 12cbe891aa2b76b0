/** ONNX files through everything that reads, checks, infers, differentiates and writes them. */
import {
  checkModel,
  externalTensors,
  liftConstants,
  gradient,
  inferShapes,
  inStages,
  isSizeBound,
  OnnxError,
  readModel,
  removeDeadNodes,
  signatureOf,
  specialise,
  trainableParameters,
  withLoss,
  writeModel,
  type LossModel,
  type Model,
} from '@skein/onnx';
import { protobufInput } from '../engine/protobuf.ts';
import type { Target } from '../engine/target.ts';
import { largeModels } from './large-models.ts';
import { smallModels } from './onnx-seeds.ts';

/** Small models, changed: thousands a second. */
export function openOnnx(): Target {
  return targetOf(smallModels());
}

/**
 * Models that are built to be expensive, by their fraction of the full size, and the number of inputs for each
 * one. A cost that grows with the square of the size shows at the full size. A cost that grows
 * faster, or depends on a number in the file, shows in a small model, and thousands of small models are tried.
 */
const SIZES = [
  { fraction: 1, oneIn: 2048 },
  { fraction: 1 / 16, oneIn: 64 },
  { fraction: 1 / 256, oneIn: 4 },
  { fraction: 1 / 2048, oneIn: 1 },
] as const;

export function openLargeOnnx(): Target {
  const small = largeModels(SIZES.at(-1)!.fraction);
  const sizes = SIZES.map(({ fraction, oneIn }) => {
    return { oneIn, seeds: largeModels(fraction), structure: protobufInput(small) };
  });
  return {
    ...targetOf(sizes[0]!.seeds),
    structure: {
      ...protobufInput(),
      mutate(_, random) {
        const { seeds, structure } = sizes.find(({ oneIn }) => random.oneIn(oneIn))!;
        return structure.mutate(seeds, random);
      },
    },
    // The time of all passes together; a full model ends them within a second on an idle machine.
    bounds: ({ length }) => ({
      timeMs: 200 + 8000 * (length / 2 ** 20),
      memoryBytes: (128 + 384 * Math.min(1, length / 2 ** 20)) * 2 ** 20,
    }),
  };
}

function targetOf(seeds: readonly Uint8Array[]): Target {
  return {
    seeds,
    structure: protobufInput(),
    refuses: (error) => error instanceof OnnxError,
    run(input) {
      const model = readModel(input);
      // Each pass separately: an input that one pass refuses may still reach another.
      for (const pass of PASSES) {
        try {
          pass(model);
        } catch (error) {
          if (!(error instanceof OnnxError)) throw error;
        }
      }
      checkModel(model);
    },
  };
}

const PASSES: readonly ((model: Model) => unknown)[] = [
  externalTensors,
  signatureOf,
  inferShapes,
  // It changes the model.
  (model) => isSizeBound(readModel(writeModel(model))),
  (model) => readModel(writeModel(liftConstants(model))),
  (model) => inferShapes(removeDeadNodes(model)),
  (model) => checkModel(readModel(writeModel(specialise(model)))),
  (model) => specialise(model, { exact: true, bind: firstInput(model) }),
  (model) =>
    inStages(
      model,
      model.graph!.output.map(({ name }) => [name]),
    ),
  (model) => {
    const lossy = withLoss(model, { loss: { kind: 'mean-squared' } });
    trainableParameters(lossy);
    inferShapes(readModel(writeModel(differentiated(lossy))));
  },
  (model) => withLoss(model, { loss: { kind: 'cross-entropy' }, weights: 'sample' }),
];

/** Conditions and shapes that depend on the input become constants. */
function firstInput(model: Model): Readonly<Record<string, number>> {
  const [first] = model.graph!.input;
  return first === undefined ? {} : { [first.name]: 1 };
}

function differentiated({ model, loss, seeds }: LossModel): Model {
  // The gradient of the first input; a loss without a gradient in it is refused.
  const [first] = model.graph!.input;
  return gradient(model, { loss, seeds, inputs: first === undefined ? [] : [first.name] });
}

/** ONNX files through everything that reads, checks, infers, differentiates and writes them. */
import {
  checkModel,
  externalTensors,
  foldConstants,
  gradient,
  inferShapes,
  inStages,
  OnnxError,
  readModel,
  removeDeadNodes,
  signatureOf,
  trainableParameters,
  withLoss,
  writeModel,
  type LossModel,
  type Model,
} from '@skein/onnx';
import { protobufInput } from '../engine/protobuf.ts';
import type { Target } from '../engine/target.ts';
import { LARGE_MODELS } from './large-models.ts';
import { smallModels } from './onnx-seeds.ts';

/** Small models, changed: thousands a second. */
export function openOnnx(): Target {
  return targetOf(smallModels());
}

/** Models that are built to be expensive. */
export function openLargeOnnx(): Target {
  return {
    ...targetOf(Object.values(LARGE_MODELS).map((make) => make())),
    // All passes together; each ends within a second on an idle machine.
    bounds: { timeMs: 8000, memoryBytes: 512 * 2 ** 20 },
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
  (model) => readModel(writeModel(foldConstants(model))),
  (model) => inferShapes(removeDeadNodes(model)),
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

function differentiated({ model, loss, seeds }: LossModel): Model {
  // Every input in which the loss has a gradient; the first tells, and is refused where it has none.
  const [first] = model.graph!.input;
  return gradient(model, { loss, seeds, inputs: first === undefined ? [] : [first.name] });
}

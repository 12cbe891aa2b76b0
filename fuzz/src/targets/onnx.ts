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
import { smallModels } from './onnx-seeds.ts';

export function openOnnx(): Target {
  return {
    seeds: smallModels(),
    structure: protobufInput(),
    refuses: (error) => error instanceof OnnxError,
    run(input) {
      const model = readModel(input);
      // Each pass by itself: what one refuses another may have to survive.
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

/** Models on their way into a training: forms for training, losses, steps with every optimiser. */
import { OnnxError, readModel, withLoss, type Model } from '@skein/onnx';
import { adamW, sgd, TrainError, trainingStep } from '@skein/train';
import { protobufInput } from '../engine/protobuf.ts';
import type { Target } from '../engine/target.ts';
import { trainableModels } from './onnx-seeds.ts';

export function openTrainingSteps(): Target {
  const isDocumented = (error: unknown) =>
    error instanceof OnnxError || error instanceof TrainError;
  return {
    seeds: trainableModels(),
    structure: protobufInput(),
    refuses: isDocumented,
    run(input) {
      const model = readModel(input);
      let refusal: unknown;
      for (const step of STEPS) {
        try {
          step(model);
        } catch (error) {
          if (!isDocumented(error)) throw error;
          refusal = error;
        }
      }
      if (refusal !== undefined) throw refusal;
    },
  };
}

const STEPS: readonly ((model: Model) => unknown)[] = [
  (model) => {
    const { model: lossy, ...rest } = withLoss(model, { loss: { kind: 'mean-squared' } });
    return trainingStep(lossy, { ...rest, optimiser: sgd() });
  },
  (model) => {
    const { model: lossy, ...rest } = withLoss(model, {
      loss: { kind: 'huber' },
      weights: 'sample',
    });
    return trainingStep(lossy, { ...rest, optimiser: adamW(), accumulate: 2 });
  },
];

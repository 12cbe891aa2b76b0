/** Trains the model on windows of a text. */
import { tensor, withLoss, type Model } from '@skein/onnx';
import {
  adamW,
  cosine,
  dataset,
  train,
  trainingStep,
  warmUp,
  withTrained,
  type Backend,
  type Dataset,
} from '@skein/train';
import { alphabetOf, type Alphabet } from './alphabet.ts';
import { characterModel, type Size } from './network.ts';

const BATCH = 16;
const RATE = 0.004;
const SEED = 1;

export interface TrainedCharacters {
  /** Takes any batch: `text` int64 [batch, length] → `logits`. */
  readonly model: Model;
  readonly alphabet: Alphabet;
  /** Mean loss of each epoch, in nats per character. */
  readonly losses: readonly number[];
}

export interface CharacterTraining {
  readonly size: Size;
  readonly epochs: number;
  readonly backend: Backend;
  /** Called with the mean loss after each epoch, counted from 1. */
  readonly onEpoch?: (loss: number, epoch: number) => void;
}

/** @throws TrainError when the text is shorter than a batch of windows. */
export async function trainCharacters(
  text: string,
  { size, epochs, backend, onEpoch }: CharacterTraining,
): Promise<TrainedCharacters> {
  const alphabet = alphabetOf(text);
  const data = windows(alphabet.encode(text), size.length);
  const vocabulary = alphabet.characters.length;
  const network = characterModel(vocabulary, size, { seed: SEED, batch: BATCH });
  const graded = withLoss(network, { loss: { kind: 'cross-entropy', axis: -1 }, target: 'next' });
  const step = trainingStep(graded.model, {
    ...graded,
    optimiser: adamW({ weightDecay: 0.01 }),
    clip: { norm: 1 },
  });
  const steps = (epochs * data.count) / BATCH;
  const rising = Math.ceil(steps / 10);
  const { tensors, epochs: reports } = await train(step, {
    backend,
    data,
    batch: BATCH,
    epochs,
    seed: SEED,
    schedule: warmUp(rising, cosine({ rate: RATE, steps: steps - rising + 1 })),
    onEpoch: (all) => onEpoch?.(all.at(-1)!.loss, all.length),
  });
  return {
    model: withTrained(characterModel(vocabulary, size, { seed: SEED }), tensors),
    alphabet,
    losses: reports.map(({ loss }) => loss),
  };
}

/** Windows side by side, as many as fill whole batches, and the same moved on by one. */
function windows(numbers: readonly number[], length: number): Dataset {
  const all = Math.floor((numbers.length - 1) / length);
  const count = all - (all % BATCH);
  const shifted = (by: number) =>
    tensor(
      'int64',
      [count, length],
      BigInt64Array.from({ length: count * length }, (_, i) => BigInt(numbers[i + by]!)),
    );
  return dataset({ text: shifted(0), next: shifted(1) });
}

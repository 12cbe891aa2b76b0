import fc from 'fast-check';
import { expect, it } from 'vitest';
import { train } from '../../commands/train.ts';
import { parseArguments } from '../../parse.ts';
import { flagsOf, type Flags, type TrainingChoice } from '../options.ts';
import { wordsOf } from './gang-inputs.ts';

/** What the command makes of its words. */
function read(words: readonly string[]): Flags {
  const { file, name, ...choice } = parseArguments(words, train).values as TrainingChoice & {
    readonly file?: string;
    readonly name?: string;
  };
  return flagsOf(choice, file, name);
}

const text = fc.stringMatching(/^[a-z(^|)_-]{1,12}$/);
const share = fc.integer({ min: 1, max: 99 }).map((hundredths) => hundredths / 100);
const count = fc.integer({ min: 1, max: 200 });

const flags: fc.Arbitrary<Flags> = fc.record(
  {
    model: fc.oneof(
      fc.constantFrom('mlp', 'mlp:8,4', 'cnn:4'),
      text.map((name) => `${name}.onnx`),
    ),
    data: text,
    label: text,
    labels: text,
    weights: text,
    features: fc.array(fc.stringMatching(/^[a-z]{1,5}$/), { minLength: 1, maxLength: 4 }),
    validation: fc.oneof(share, text),
    validationLabels: text,
    imageSize: fc.record({
      width: count,
      height: count,
      channels: fc.constantFrom(1 as const, 3 as const),
    }),
    task: fc.constantFrom('classification' as const, 'regression' as const),
    loss: fc.constantFrom('huber' as const, 'cross-entropy' as const),
    missing: fc.constantFrom('drop' as const, 'mean' as const),
    optimiser: fc.constantFrom('adam' as const, 'lion' as const),
    rate: share,
    schedule: fc.constantFrom('cosine' as const, 'step' as const),
    warmup: count,
    momentum: share,
    weightDecay: share,
    clipNorm: share,
    clipValue: share,
    accumulate: count,
    epochs: count,
    batch: count,
    seed: count,
    freeze: text,
    earlyStopping: count,
    checkpointEvery: count,
    threads: count,
    localSteps: count,
    compress: fc.constantFrom('8-bit', 'top-k:0.01'),
    name: text,
  },
  { requiredKeys: [] },
);

it('says in words what the command reads back', () => {
  fc.assert(
    fc.property(flags, (given) => {
      const file = given.model?.startsWith('-');
      // An argument that begins with a dash cannot be a file.
      fc.pre(file !== true);
      expect(read(wordsOf(given))).toEqual(given);
    }),
  );
});

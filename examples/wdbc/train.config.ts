/** The training of the README as a value: a network from a function, and an optimiser with its options. */
import { mlp } from '@skein/onnx';
import { adamW, defineTraining } from '@skein/train';

export const training = defineTraining({
  model: ({ inputs, outputs, seed }) => mlp({ sizes: [inputs, 16, outputs], seed }),
  data: 'wdbc.csv',
  label: 'diagnosis',
  optimiser: adamW({ weightDecay: 0.01 }),
  rate: 0.01,
  schedule: 'cosine',
  warmup: 15,
  earlyStopping: 8,
  name: 'tumours-adamw',
});

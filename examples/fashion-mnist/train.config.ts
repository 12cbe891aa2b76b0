/** Trains on all 60,000 pictures, and is judged by the 10,000 that were made for it. */
import { adamW, defineTraining } from '@skein/train';
import { garmentNetwork } from './network.ts';

/** Where Debian's package dataset-fashion-mnist puts them. */
const FOLDER = '/usr/share/datasets/fashion-mnist';

export const training = defineTraining({
  model: ({ outputs, seed }) => garmentNetwork(outputs, seed),
  // The labels are in the same folder as the pictures, in files with similar names.
  data: `${FOLDER}/train-images-idx3-ubyte.gz`,
  validation: `${FOLDER}/t10k-images-idx3-ubyte.gz`,
  optimiser: adamW({ weightDecay: 0.01 }),
  rate: 0.002,
  schedule: 'cosine',
  warmup: 200,
  batch: 64,
  epochs: 5,
  name: 'garments',
});

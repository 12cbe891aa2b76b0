/**
 * A version from rows: trains the network, scores each hospital's held-out rows, and draws up the version file.
 * Rows are trained on where they lie in one place; a federation trains where they do not.
 */
import { createHash } from 'node:crypto';
import { tensor, withLoss, writeModel, seededRandom, type Model } from '@skein/onnx';
import { adamW, cosine, dataset, train, trainingStep, withTrained } from '@skein/train';
import { nativeBackend } from '@skein/train/native';
import { countsOf, type SiteCounts } from '../method/counts.ts';
import { network } from '../method/network.ts';
import { encode, WIDTH } from '../method/questions.ts';
import { openScorer } from '../method/scorer.ts';
import { draftVersion, type Version } from '../method/version.ts';
import type { HeartRow, Hospitals } from './heart-rows.ts';

export const VERSION_NAME = 'heart';
const BATCH = 32;
const EPOCHS = 60;
const LEARNING_RATE = 5e-3;
/** Share of the rows that calibrate and are not trained on. */
const CALIBRATION_SHARE = 0.3;

export interface TrainedVersion {
  readonly version: Version;
  readonly model: Uint8Array;
}

/** @param seed of weights and of the order of rows. */
export async function trainNetwork(rows: readonly HeartRow[], seed: number): Promise<Model> {
  const graded = withLoss(network(WIDTH, seed, BATCH), {
    loss: { kind: 'binary-cross-entropy' },
    target: 'label',
    weights: 'sample',
    weightName: 'mask',
  });
  const step = trainingStep(graded.model, { ...graded, optimiser: adamW({ weightDecay: 0.05 }) });
  const x = new Float32Array(rows.length * WIDTH);
  rows.forEach(({ answers }, i) => x.set(encode(answers), i * WIDTH));
  const { tensors } = await train(step, {
    backend: nativeBackend,
    data: dataset({
      x: tensor('float32', [rows.length, WIDTH], x),
      label: tensor(
        'float32',
        [rows.length, 1],
        Float32Array.from(rows, ({ ill }) => ill),
      ),
    }),
    batch: BATCH,
    mask: 'mask',
    epochs: EPOCHS,
    seed,
    schedule: cosine({ rate: LEARNING_RATE, steps: EPOCHS * Math.ceil(rows.length / BATCH) }),
  });
  return withTrained(network(WIDTH, seed), tensors);
}

export interface Split {
  readonly train: Hospitals;
  readonly calibration: Hospitals;
}

/** Splits each hospital's rows at random. */
export function splitHospitals(hospitals: Hospitals, seed: number): Split {
  const random = seededRandom(seed);
  const [trained, held]: [Record<string, HeartRow[]>, Record<string, HeartRow[]>] = [{}, {}];
  for (const [site, rows] of Object.entries(hospitals)) {
    const shuffled = shuffle(rows, random);
    const count = Math.round(CALIBRATION_SHARE * rows.length);
    held[site] = shuffled.slice(0, count);
    trained[site] = shuffled.slice(count);
  }
  return { train: trained, calibration: held };
}

/** Each hospital's counts over its own rows; only counts leave it. */
export async function countHospitals(
  model: Model,
  hospitals: Hospitals,
): Promise<Readonly<Record<string, SiteCounts>>> {
  const scorer = await openScorer(model);
  try {
    return Object.fromEntries(
      Object.entries(hospitals).map(([site, rows]) => {
        const logits = scorer.logits(rows.map(({ answers }) => answers));
        return [site, countsOf(rows.map(({ ill }, i) => [logits[i]!, ill] as const))];
      }),
    );
  } finally {
    scorer.close();
  }
}

/** @param source names the rows for readers of the version. */
export async function trainVersion(
  hospitals: Hospitals,
  source: string,
  seed: number,
): Promise<TrainedVersion> {
  const { train: trained, calibration } = splitHospitals(hospitals, seed);
  const rows = Object.values(trained).flat();
  const model = await trainNetwork(rows, seed);
  return versionFrom(model, await countHospitals(model, calibration), {
    rows: rows.length,
    source,
    seed,
    aggregation: 'rows in one place',
  });
}

export function versionFrom(
  model: Model,
  counts: Readonly<Record<string, SiteCounts>>,
  training: Readonly<Record<string, string | number>>,
): TrainedVersion {
  const bytes = new Uint8Array(writeModel(model));
  const digest = createHash('sha256').update(bytes).digest('hex');
  return { model: bytes, version: draftVersion(VERSION_NAME, digest, counts, { ...training }) };
}

function shuffle<Item>(items: readonly Item[], random: { next(): number }): Item[] {
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random.next() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
  }
  return shuffled;
}

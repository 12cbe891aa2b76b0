/**
 * Quantised models: accuracy lost on Fashion-MNIST, and speed over float32 in pairs of runs that alternate. The speeds are
 * of a network of products and of one of convolutions, large enough that calls do not count.
 */
import {
  conv,
  dense,
  globalAveragePool,
  mlp,
  seededRandom,
  sequential,
  tensor,
  type Model,
  type TensorMap,
} from '@skein/onnx';
import {
  answersOf,
  differenceOf,
  measureVariants,
  withOpen,
  type Report,
} from '@skein/onnx/quantise';
import type { RowGroup } from '../harness/row-group.ts';
import { NATIVE, WASM } from './evaluators.ts';
import { pictures } from './fashion.ts';
import { firstVersion } from './first-version.ts';
import { peerModels } from './ort-quantization.ts';

const BATCH = 100;
/** Default limit of `skein quantise`: a share of the outputs. */
const MOST_ERROR = 0.1;
const TIMING_MS = 2000;
const QUICK_TIMING_MS = 150;

export const QUANTISED: RowGroup = {
  measures: [
    {
      key: 'int8_drop_pt',
      what: 'Fashion-MNIST accuracy lost, int8',
      unit: ' points',
      target: { atMost: 0.3 },
    },
    { key: 'int4_drop_pt', what: '… 4 bits', unit: ' points', target: { atMost: 1 } },
    {
      key: 'error_vs_peer',
      what: '… error of int8 over the best of onnxruntime.quantization',
      unit: '×',
      target: { atMost: 1 },
    },
    {
      key: 'int8_matmul_speedup',
      what: 'speed over float32, native: products',
      unit: '×',
      target: { atLeast: 2 },
    },
    {
      key: 'int8_conv_speedup',
      what: '… convolutions',
      unit: '×',
      target: { atLeast: 1 },
    },
    {
      key: 'int8_wasm_speedup',
      what: '… WebAssembly, the slower of the two',
      unit: '×',
      target: { atLeast: 1 },
    },
  ],
  async measure({ quick, progress }) {
    progress('quantised: accuracy');
    const network = await firstVersion(quick);
    const rows = fashionRows(quick);
    const accuracy = await fashionReport(network, rows);
    progress('quantised: errors of the peer');
    const peers = await peerErrors(network, rows);
    const own = builtOf(accuracy, 'int8');
    const best = peers.reduce((least, each) => (each.error < least.error ? each : least));
    if (best.bytes < own.bytes) throw new Error('The best model of the peer is smaller.');
    const timingMs = quick ? QUICK_TIMING_MS : TIMING_MS;
    progress('quantised: speed of products');
    const products = await randomReport(
      mlp({ sizes: [512, 1024, 1024, 256], seed: 1 }),
      [512],
      timingMs,
    );
    progress('quantised: speed of convolutions');
    const convolutions = await randomReport(convolutional(), [16, 28, 28], timingMs);
    const [matmul, conv] = [products, convolutions].map(speedsOf);
    return {
      results: {
        int8_drop_pt: dropOf(accuracy, 'int8'),
        int4_drop_pt: Math.min(dropOf(accuracy, 'int4'), dropOf(accuracy, 'int4-stored')),
        error_vs_peer: own.quality.error / best.error,
        int8_matmul_speedup: matmul!.native,
        int8_conv_speedup: conv!.native,
        int8_wasm_speedup: Math.min(matmul!.wasm, conv!.wasm),
      },
      details: {
        fashion_accuracy: accuracy.float.accuracy,
        int8_error: own.quality.error,
        int8_bytes: own.bytes,
        peer_errors: peers,
        weight_bits: accuracy.weightBits,
        int8_speeds: { matmul, conv },
      },
    };
  },
};

function convolutional(): Model {
  return sequential({
    input: { shape: [16, 28, 28] },
    layers: [
      conv({ filters: 32, kernel: 3, activation: 'relu' }),
      conv({ filters: 64, kernel: 3, activation: 'relu' }),
      conv({ filters: 64, kernel: 3, activation: 'relu' }),
      globalAveragePool(),
      dense({ units: 10 }),
    ],
    seed: 1,
    opset: 21,
  });
}

interface FashionRows {
  readonly calibration: readonly TensorMap[];
  readonly held: readonly TensorMap[];
  /** Classes of the held-out rows. */
  readonly labels: readonly number[];
}

function fashionRows(quick: boolean): FashionRows {
  const [train, test] = [pictures('train'), pictures('t10k')];
  const batches = (from: typeof train, count: number): TensorMap[] =>
    Array.from({ length: count }, (_, at) => {
      const rows = Array.from({ length: BATCH }, (_, i) => at * BATCH + i);
      return new Map([['x', from.batch(rows).get('x')!]]);
    });
  return {
    calibration: batches(train, quick ? 4 : 20),
    held: batches(test, test.count / BATCH),
    labels: Array.from({ length: test.count }, (_, row) => test.label(row)),
  };
}

function fashionReport(model: Model, { calibration, held, labels }: FashionRows): Promise<Report> {
  return measureVariants(model, {
    evaluators: { native: NATIVE },
    target: 'native',
    maxError: MOST_ERROR,
    calibration,
    held: { samples: held, labels },
    timed: calibration[0]!,
    timingMs: 1,
  });
}

interface PeerError {
  readonly setting: string;
  readonly bytes: number;
  /** The same measure as `int8_error`: root mean squares, difference over float outputs. */
  readonly error: number;
}

/** Errors of the peer's models on the held-out rows, in the same runtime as Skein's. */
async function peerErrors(
  model: Model,
  { calibration, held }: FashionRows,
): Promise<readonly PeerError[]> {
  const wanted = await withOpen(NATIVE, model, (open) => answersOf(open, held));
  const errors: PeerError[] = [];
  for (const { setting, model: made, bytes } of await peerModels(model, 'x', calibration)) {
    const found = await withOpen(NATIVE, made, (open) => answersOf(open, held));
    errors.push({ setting, bytes, error: differenceOf(found, wanted).error });
  }
  return errors;
}

async function randomReport(
  model: Model,
  shape: readonly number[],
  timingMs: number,
): Promise<Report> {
  const random = seededRandom(3);
  const sample = (): TensorMap => {
    const count = 8 * shape.reduce((product, size) => product * size, 1);
    const numbers = Float32Array.from({ length: count }, () => random.next() * 2 - 1);
    return new Map([['x', tensor('float32', [8, ...shape], numbers)]]);
  };
  const [timed, other] = [sample(), sample()];
  return measureVariants(model, {
    evaluators: { native: NATIVE, wasm: WASM },
    target: 'native',
    maxError: MOST_ERROR,
    calibration: [timed],
    held: { samples: [other] },
    timed,
    timingMs,
  });
}

type Built = NonNullable<Report['variants'][number]['built']>;

function builtOf(report: Report, name: string): Built {
  const variant = report.variants.find((each) => each.name === name);
  if (variant?.built === undefined) throw new Error(`${name} was not built: ${variant?.reason}.`);
  return variant.built;
}

const dropOf = (report: Report, name: string): number => builtOf(report, name).drop ?? Number.NaN;

/** The fastest int8 variant on each runtime: `skein quantise` chooses among them. */
function speedsOf({ variants }: Report): Readonly<Record<'native' | 'wasm', number>> {
  const best = (runtime: string): number =>
    Math.max(
      ...variants
        .filter(({ name }) => name.startsWith('int8'))
        .flatMap(({ built }) => {
          const ratio = built?.timings[runtime]?.ratio;
          return ratio === undefined ? [] : [1 / ratio];
        }),
    );
  return { native: best('native'), wasm: best('wasm') };
}

/** The objectives of LightGBM: from the sum of the leaves to the prediction. */
import { unsupportedModel } from '../../onnx-error.ts';
import type { Form, Link } from '../booster.ts';

interface Prediction {
  readonly link: Link;
  readonly form: Form;
}

type Options = ReadonlyMap<string, string>;

const number = (): Prediction => ({ link: 'identity', form: 'prediction' });
const positive = (): Prediction => ({ link: 'exp', form: 'prediction' });
const ranking = (): Prediction => ({ link: 'identity', form: 'score' });
const logistic = (options: Options): Link => ({ slope: slopeOf(options) });

/** By the first word of the objective; the others are its options. */
const OBJECTIVES: Readonly<Record<string, (options: Options) => Prediction>> = {
  regression: (options) => ({
    link: options.has('sqrt') ? 'signed-square' : 'identity',
    form: 'prediction',
  }),
  regression_l1: number,
  huber: number,
  fair: number,
  quantile: number,
  mape: number,
  poisson: positive,
  gamma: positive,
  tweedie: positive,
  cross_entropy: () => ({ link: { slope: 1 }, form: 'prediction' }),
  cross_entropy_lambda: () => ({ link: 'softplus', form: 'prediction' }),
  binary: (options) => ({ link: logistic(options), form: 'binary' }),
  multiclass: () => ({ link: 'softmax', form: 'classes' }),
  multiclassova: (options) => ({ link: logistic(options), form: 'classes' }),
  lambdarank: ranking,
  rank_xendcg: ranking,
};

/** @param text such as `binary sigmoid:1`. @throws OnnxError `unsupported` for an objective that is not LightGBM's. */
export function predictionOf(text: string): Prediction {
  const [name = '', ...words] = text.split(' ').filter(Boolean);
  if (!Object.hasOwn(OBJECTIVES, name)) {
    throw unsupportedModel(
      `The objective "${name}" is not one of LightGBM: ${Object.keys(OBJECTIVES).join(', ')}.`,
    );
  }
  const options = new Map(words.map((word) => [word.split(':')[0]!, word.split(':')[1] ?? '']));
  return OBJECTIVES[name]!(options);
}

function slopeOf(options: Options): number {
  const slope = Number(options.get('sigmoid') ?? '1');
  if (slope > 0 && slope < Infinity) return slope;
  throw unsupportedModel(`The objective has the option sigmoid:${options.get('sigmoid')}.`);
}

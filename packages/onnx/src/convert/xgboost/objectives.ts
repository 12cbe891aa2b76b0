/** The objectives of XGBoost: from the sum of the leaves to the prediction, and back for the base score. */
import type { Form, Link } from '../booster.ts';

interface Objective {
  readonly link: Link;
  readonly form: Form;
  /** The sum that predicts the base score, which files hold as a prediction. */
  readonly toSum: (prediction: number) => number;
}

const same = (prediction: number): number => prediction;
const logit = (share: number): number => -Math.log(1 / share - 1);
const LOGISTIC: Link = { slope: 1 };

const identity = { link: 'identity', form: 'prediction', toSum: same } as const;
const positive = { link: 'exp', form: 'prediction', toSum: Math.log } as const;
const ranking = { link: 'identity', form: 'score', toSum: same } as const;
const classes = { link: 'softmax', form: 'classes', toSum: same } as const;

export const OBJECTIVES: Readonly<Record<string, Objective>> = {
  'reg:squarederror': identity,
  'reg:linear': identity,
  'reg:squaredlogerror': identity,
  'reg:pseudohubererror': identity,
  'reg:absoluteerror': identity,
  'reg:quantileerror': identity,
  'reg:logistic': { link: LOGISTIC, form: 'prediction', toSum: logit },
  'reg:gamma': positive,
  'reg:tweedie': positive,
  'count:poisson': positive,
  'survival:cox': positive,
  'survival:aft': positive,
  'binary:logistic': { link: LOGISTIC, form: 'binary', toSum: logit },
  'binary:logitraw': { link: 'identity', form: 'score', toSum: same },
  'binary:hinge': { link: 'identity', form: 'step', toSum: same },
  'multi:softmax': classes,
  'multi:softprob': classes,
  'rank:pairwise': ranking,
  'rank:ndcg': ranking,
  'rank:map': ranking,
};

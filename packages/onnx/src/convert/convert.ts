/**
 * Converts models of other programs to ONNX. A file is recognised by its content; its name is not read.
 *
 * A booster is one `TreeEnsembleRegressor` and its link function. The result also interprets the file, so that the
 * graph can be compared with it on any row.
 */
import { invalidModel } from '../onnx-error.ts';
import type { Model } from '../model/model.ts';
import type { Random } from '../tensor/random.ts';
import { nodeCount, type Booster } from './booster.ts';
import { reachedNodes } from './check-tree.ts';
import { readJsonDocument } from './format/json.ts';
import { readUbjson } from './format/ubjson.ts';
import { graphOf } from './graph.ts';
import { readLightgbm } from './lightgbm/lightgbm.ts';
import { requireSize } from './limits.ts';
import { predict, type Predicted } from './predict.ts';
import { sampleRows } from './sample-rows.ts';
import { readXgboost } from './xgboost/xgboost.ts';

export { agrees, difference, TOLERANCE, type Difference, type OutputValues } from './difference.ts';
export { convertSklearn, type ConvertedEstimator } from './sklearn/sklearn.ts';
export { SKLEARN_SCRIPT } from './sklearn/script.ts';
export type { Predicted } from './predict.ts';

export type Foreign = 'xgboost-json' | 'xgboost-ubjson' | 'xgboost-binary' | 'lightgbm';

export interface Converted {
  readonly model: Model;
  /** The program that wrote the file, and its version. */
  readonly source: string;
  readonly objective: string;
  /** Zero for a linear model. */
  readonly trees: number;
  readonly nodes: number;
  readonly features: number;
  readonly featureNames: readonly string[];
  /** Parts of the file that are not used, in sentences. */
  readonly notes: readonly string[];
  /** Rows around the thresholds of the model, row after row. */
  sampleRows(count: number, random: Random): Float32Array;
  /** The outputs of the graph, by interpreting the file. */
  predict(rows: Float32Array): Predicted;
}

/** The format of a file that `convertModel` reads. @returns undefined for all others, ONNX among them. */
export function recogniseModel(bytes: Uint8Array): Foreign | undefined {
  const head = String.fromCharCode(...bytes.subarray(0, 32));
  if (/^\{\s*"/.test(head)) return 'xgboost-json';
  if (/^\{[iUIlL#$]/.test(head)) return 'xgboost-ubjson';
  if (/^tree\r?\nversion=/.test(head)) return 'lightgbm';
  return head.startsWith('binf') ? 'xgboost-binary' : undefined;
}

/** @throws OnnxError `invalid` for a damaged file, `unsupported` for one that has no equal graph. */
export function convertModel(bytes: Uint8Array): Converted {
  requireSize(bytes);
  const booster = readBooster(bytes);
  if (booster.features === 0) throw invalidModel('The model has no feature.');
  if (booster.sum.kind === 'forest') booster.sum.trees.forEach((tree) => reachedNodes(tree));
  const { source, objective, features, featureNames, notes, sum } = booster;
  return {
    model: graphOf(booster),
    source,
    objective,
    trees: sum.kind === 'forest' ? sum.trees.length : 0,
    nodes: nodeCount(booster),
    features,
    featureNames,
    notes,
    sampleRows: (count, random) => sampleRows(booster, count, random),
    predict: (rows) => predict(booster, rows),
  };
}

function readBooster(bytes: Uint8Array): Booster {
  switch (recogniseModel(bytes)) {
    case 'xgboost-json':
      return readXgboost(readJsonDocument(bytes));
    case 'xgboost-ubjson':
      return readXgboost(readUbjson(bytes));
    case 'lightgbm':
      return readLightgbm(bytes);
    case 'xgboost-binary':
      throw invalidModel(
        'The file is in the binary format that XGBoost gave up with version 3.1. Load it with the version that wrote it, and save it with booster.save_model("model.ubj").',
      );
    default:
      throw invalidModel('The file is not a model of XGBoost or LightGBM.');
  }
}

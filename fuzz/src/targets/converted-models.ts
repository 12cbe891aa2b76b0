/** Files of other programs that are converted to ONNX. */
import { checkModel, OnnxError, seededRandom } from '@skein/onnx';
import {
  convertModel,
  convertSklearn,
  recogniseModel,
} from '../../../packages/onnx/src/convert/convert.ts';
import {
  jsonBytes,
  smallXgboost,
  ubjsonBytes,
} from '../../../packages/onnx/src/convert/testing/small-xgboost.ts';
import {
  documentBytes,
  DOCUMENTS,
} from '../../../packages/onnx/src/convert/testing/small-document.ts';
import { lightgbmText } from '../../../packages/onnx/src/convert/testing/lightgbm-text.ts';
import { bytesInput } from '../engine/bytes.ts';
import { jsonInput } from '../engine/json.ts';
import type { Structure, Target } from '../engine/target.ts';

const MODELS = [
  {},
  { booster: 'dart', objective: 'binary:logistic' },
  { booster: 'gblinear', objective: 'count:poisson' },
  { objective: 'multi:softprob', num_class: '3', base_score: '[1E0,2E0,3E0]' },
  { attributes: { best_iteration: '0', scikit_learn: '{}' } },
] as const;

/** A converted model is one that the rest of Skein takes, and the file can be interpreted. */
function target(seeds: readonly Uint8Array[], structure: Structure): Target {
  return {
    seeds,
    structure,
    refuses: (error) => error instanceof OnnxError,
    run(input) {
      if (recogniseModel(input) === undefined) return;
      const converted = convertModel(input);
      checkModel(converted.model);
      // Wider rows are only more of the same.
      if (converted.features < 1000) converted.predict(new Float32Array(converted.features));
    },
  };
}

/** XGBoost's JSON. Without `NaN`, which the structure cannot parse; the target below has it. */
export function openXgboostJson(): Target {
  const seeds = MODELS.map((each) =>
    Buffer.from(
      Buffer.from(jsonBytes(smallXgboost(each)))
        .toString()
        .replaceAll('NaN', '0'),
    ),
  );
  return target(seeds, jsonInput(['1E1', '-1', 'NaN', [0, 1], 'gblinear', 'multi:softmax', 1e9]));
}

export function openXgboostUbjson(): Target {
  const seeds = MODELS.flatMap((each) => [
    ubjsonBytes(smallXgboost(each)),
    jsonBytes(smallXgboost(each)),
  ]);
  const words = ['[$d#L', '[$l#L', '{$Z#L', '[#l', '\0\0\0\x01', 'NaN', '-Infinity', '\\u', 'N'];
  return target(seeds, bytesInput(words));
}

export function openLightgbmText(): Target {
  const shape = { features: 4, rounds: 2, leaves: 6, categorical: 1 };
  const seeds = ['regression sqrt', 'binary sigmoid:1', 'multiclass num_class:3', 'custom'].map(
    (objective, at) =>
      Buffer.from(
        lightgbmText({ ...shape, objective, outputs: at === 2 ? 3 : 1 }, seededRandom(at)),
      ),
  );
  const words = [
    'Tree=',
    'num_leaves=',
    'num_cat=',
    '=',
    ' ',
    '\n',
    '\r\n',
    '-1',
    '1e999',
    '4294967295',
    'average_output\n',
    'is_linear=1',
  ];
  return target(seeds, bytesInput(words));
}

function estimators(
  seeds: readonly Uint8Array[],
  structure: Structure,
  documentOf: (input: Uint8Array) => Uint8Array,
): Target {
  return {
    seeds,
    structure,
    refuses: (error) => error instanceof OnnxError,
    run: (input) => checkModel(convertSklearn(documentOf(input)).model),
  };
}

/** Descriptions of estimators: the header alone, with its arrays as lists. */
export function openEstimatorHeaders(): Target {
  const seeds = DOCUMENTS.map((each) =>
    Buffer.from(
      JSON.stringify(each, (_key, value: unknown) =>
        ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value,
      ),
    ),
  );
  const words = [
    'elementwise',
    'products',
    'one-hot',
    'prediction',
    -1,
    1e9,
    0.5,
    [0, 1],
    ['a', null],
  ];
  return estimators(seeds, jsonInput(words), (input) => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(input.length));
    return Buffer.concat([Buffer.from('SKLEARN1'), length, input]);
  });
}

/** The same with arrays behind the header. */
export function openEstimatorDocuments(): Target {
  const words = ['"array":', '"f8"', '"i4"', '"u1"', '"at":', '"length":', 'NaN', '-1', '99999999'];
  return estimators(DOCUMENTS.map(documentBytes), bytesInput(words), (input) => input);
}

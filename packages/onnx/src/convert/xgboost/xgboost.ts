/**
 * Reads a model of XGBoost 1.0 to 3.x from its JSON or UBJSON: trees, DART and linear boosters.
 * Follows doc/model.schema of XGBoost 3.0.
 */
import { invalidModel, unsupportedModel } from '../../onnx-error.ts';
import type { Booster, Forest, Linear } from '../booster.ts';
import { MOST_FEATURES, MOST_NODES, MOST_OUTPUTS, requireAtMost } from '../limits.ts';
import { Place, type Value } from '../format/value.ts';
import { readJsonDocument } from '../format/json.ts';
import { OBJECTIVES } from './objectives.ts';
import { readTree } from './tree.ts';

/** @throws OnnxError `invalid` for a damaged file, `unsupported` for one that has no equal graph. */
export function readXgboost(document: Value): Booster {
  const root = new Place(document, 'model');
  const learner = root.at('learner');
  if (!learner.exists) {
    throw invalidModel(
      'The JSON is not a model of XGBoost. Save one with booster.save_model("model.ubj"); a dump of it cannot be read back.',
    );
  }
  const version = root
    .at('version')
    .list()
    .map((each) => each.number());
  const param = learner.at('learner_model_param');
  const features = param.at('num_feature').count(MOST_FEATURES);
  const targets = param.at('num_target');
  const outputs = Math.max(
    1,
    param.at('num_class').count(MOST_OUTPUTS),
    targets.exists ? targets.count(MOST_OUTPUTS) : 1,
  );
  const name = learner.at('objective').at('name').text();
  const objective = Object.hasOwn(OBJECTIVES, name) ? OBJECTIVES[name] : undefined;
  if (objective === undefined) {
    throw unsupportedModel(
      `The objective "${name}" is not one of XGBoost: ${Object.keys(OBJECTIVES).join(', ')}. With an objective of your own, save the model with objective="reg:squarederror" and transform its sums where you call it.`,
    );
  }
  const notes: string[] = [];
  const base = baseScores(param.at('base_score'), outputs).map(objective.toSum);
  const sum = readBooster(learner, { features, outputs }, base, notes);
  return {
    source: `XGBoost ${version.join('.')}`,
    objective: name,
    features,
    featureNames: namesOf(learner.at('feature_names'), features),
    outputs,
    base,
    sum,
    link: objective.link,
    form: objective.form === 'binary' && outputs > 1 ? 'labels' : objective.form,
    notes,
  };
}

interface Sizes {
  readonly features: number;
  readonly outputs: number;
}

function readBooster(
  learner: Place,
  sizes: Sizes,
  base: Float64Array,
  notes: string[],
): Forest | Linear {
  const booster = learner.at('gradient_booster');
  const kind = booster.at('name').text();
  switch (kind) {
    case 'gbtree':
      return readForest(learner, booster.at('model'), sizes, notes);
    case 'dart': {
      const weights = booster.at('weight_drop').numbers();
      return readForest(learner, booster.at('gbtree').at('model'), sizes, notes, weights);
    }
    case 'gblinear': {
      const { features, outputs } = sizes;
      const all = booster
        .at('model')
        .at('weights')
        .numbers((features + 1) * outputs);
      for (let at = 0; at < outputs; at++) base[at]! += all[features * outputs + at]!;
      return { kind: 'linear', weights: Float64Array.from(all.subarray(0, features * outputs)) };
    }
    default:
      throw unsupportedModel(`The booster "${kind}" is none of gbtree, dart and gblinear.`);
  }
}

function readForest(
  learner: Place,
  model: Place,
  { features, outputs }: Sizes,
  notes: string[],
  weights?: ArrayLike<number>,
): Forest {
  const all = model.at('trees').list();
  const groups = model.at('tree_info').numbers(all.length);
  const trees = all.slice(0, treesUsed(learner, model, all.length, notes));
  const widths = new Set(trees.map((tree) => widthOf(tree)));
  const [width = 1] = widths;
  if (widths.size > 1 || (width !== 1 && width !== outputs)) {
    throw invalidModel('The leaves of the model have different sizes.');
  }
  let nodes = 0;
  return {
    kind: 'forest',
    width,
    rounding: 'down',
    trees: trees.map((place, at) => {
      const output = width === 1 ? groups[at]! : 0;
      if (!(output >= 0 && output < outputs)) {
        throw invalidModel(`${place.path} is for output ${output} of ${outputs}.`);
      }
      const weight = weights === undefined ? 1 : (weights[at] ?? 1);
      const tree = readTree(place, { features, output, width, weight });
      nodes += tree.test.length;
      requireAtMost('nodes', nodes, MOST_NODES);
      return tree;
    }),
  };
}

const widthOf = (tree: Place): number =>
  Math.max(1, tree.at('tree_param').at('size_leaf_vector').count(MOST_OUTPUTS));

/**
 * The classes of scikit-learn predict with the trees up to the best iteration of early stopping, and the
 * booster itself with all; the file states which of them wrote it.
 */
function treesUsed(learner: Place, model: Place, trees: number, notes: string[]): number {
  const attributes = learner.at('attributes');
  const best = attributes.at('best_iteration');
  if (!best.exists || !attributes.at('scikit_learn').exists) return trees;
  const rounds = best.count(MOST_NODES) + 1;
  const starts = model.at('iteration_indptr');
  if (!starts.exists) {
    throw unsupportedModel(
      'The model was stopped early, and its file does not state which trees belong to a round. Load it with XGBoost 2 or later and save it again.',
    );
  }
  const used = starts.numbers()[rounds];
  if (used === undefined || !(used >= 0 && used <= trees)) {
    throw invalidModel(`The best iteration ${rounds - 1} is outside of the model.`);
  }
  if (used < trees) {
    notes.push(`Uses the ${used} trees up to the best iteration of early stopping, of ${trees}.`);
  }
  return used;
}

/** One for all outputs, or one for each: a text of a number, or of a list since XGBoost 3.1. */
function baseScores(place: Place, outputs: number): Float64Array {
  const listed = typeof place.value === 'string' && place.value.startsWith('[');
  const scores = listed
    ? new Place(readJsonDocument(new TextEncoder().encode(place.text())), place.path).numbers()
    : Float64Array.of(place.number());
  if (scores.length !== 1 && scores.length !== outputs) {
    throw invalidModel(`${place.path} has ${scores.length} numbers for ${outputs} outputs.`);
  }
  return Float64Array.from({ length: outputs }, (_, at) => scores[scores.length === 1 ? 0 : at]!);
}

function namesOf(place: Place, features: number): readonly string[] {
  const names = place.exists ? place.list().map((each) => each.text()) : [];
  if (names.length !== 0 && names.length !== features) {
    throw invalidModel(`The file names ${names.length} of its ${features} features.`);
  }
  return names;
}

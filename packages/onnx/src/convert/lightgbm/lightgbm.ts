/**
 * Reads a model of LightGBM 2 to 4 from its text. Follows the decisions that version 4 makes in
 * `include/LightGBM/tree.h`, and its objectives.
 */
import { invalidModel, unsupportedModel } from '../../onnx-error.ts';
import type { Booster } from '../booster.ts';
import { MOST_FEATURES, MOST_NODES, MOST_OUTPUTS, requireAtMost } from '../limits.ts';
import { predictionOf } from './objectives.ts';
import { sectionsOf, type Section } from './sections.ts';
import { readTree } from './tree.ts';

const VERSIONS = ['v2', 'v3', 'v4'];

/** @throws OnnxError `invalid` for a damaged file, `unsupported` for one that has no equal graph. */
export function readLightgbm(bytes: Uint8Array): Booster {
  const { head, trees, tail } = sectionsOf(bytes);
  const version = head.text('version');
  if (!VERSIONS.includes(version)) {
    throw unsupportedModel(
      `The file has the format ${version.slice(0, 100)} of LightGBM; ${VERSIONS.join(', ')} are converted. Load it with LightGBM 4 and save it again.`,
    );
  }
  const notes: string[] = [];
  const features = head.count('max_feature_idx', MOST_FEATURES - 1) + 1;
  const outputs = head.count('num_tree_per_iteration', MOST_OUTPUTS);
  if (outputs === 0 || trees.length % outputs !== 0) {
    throw invalidModel(`The file has ${trees.length} trees for ${outputs} outputs.`);
  }
  const weight = head.has('average_output') ? outputs / Math.max(trees.length, 1) : 1;
  const objective = objectiveOf(head, notes);
  noteCategories(tail, notes);
  let nodes = 0;
  return {
    source: `LightGBM ${version}`,
    objective,
    features,
    featureNames: namesOf(head, features),
    outputs,
    base: new Float64Array(outputs),
    sum: {
      kind: 'forest',
      width: 1,
      rounding: 'to-zero',
      trees: trees.map((section, at) => {
        const tree = readTree(section, { features, output: at % outputs, weight });
        nodes += tree.test.length;
        requireAtMost('nodes', nodes, MOST_NODES);
        return tree;
      }),
    },
    ...predictionOf(objective),
    notes,
  };
}

/** A model that an objective in Python trained states none, or `custom`: its sums are its predictions. */
function objectiveOf(head: Section, notes: string[]): string {
  const objective = head.has('objective') ? head.text('objective') : 'custom';
  if (objective !== 'custom') return objective;
  notes.push(
    'The file states no objective of LightGBM, so the outputs are the sums of the leaves.',
  );
  return 'regression';
}

function namesOf(head: Section, features: number): readonly string[] {
  const names = head.text('feature_names').split(' ').filter(Boolean);
  if (names.length !== features) {
    throw invalidModel(`The file names ${names.length} of its ${features} features.`);
  }
  return names;
}

function noteCategories(tail: Section, notes: string[]): void {
  const key = 'pandas_categorical';
  const text = tail.has(key) ? tail.text(key).trim() : 'null';
  if (text === 'null' || text === '[]') return;
  notes.push(
    'The model was trained on categories of pandas. Send the position of each category in its list, from 0.',
  );
}

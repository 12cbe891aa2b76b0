/**
 * Converts an estimator of scikit-learn from the document that `python/script.py` writes of it in a sandbox. The
 * document also holds rows and the predictions of scikit-learn for them, which the graph must agree with.
 */
import { invalidModel, unsupportedModel } from '../../onnx-error.ts';
import { GraphBuilder } from '../../model/builder.ts';
import type { Model } from '../../model/model.ts';
import { INPUT, modelWith } from '../graph.ts';
import { MOST_FEATURES } from '../limits.ts';
import { readDocument } from './document.ts';
import { classNames, writeEstimator } from './estimator.ts';
import { numberPart, Writer, type Frame } from './frame.ts';
import { readSamples, type Samples } from './samples.ts';
import { transform } from './transforms.ts';

export interface ConvertedEstimator extends Samples {
  readonly model: Model;
  /** scikit-learn and its version. */
  readonly source: string;
  /** The steps by their classes. */
  readonly objective: string;
  readonly trees: number;
  readonly nodes: number;
  readonly features: number;
  readonly featureNames: readonly string[];
  readonly notes: readonly string[];
}

/** @throws OnnxError `invalid` for a damaged document, `unsupported` for an estimator that has no equal graph. */
export function convertSklearn(document: Uint8Array): ConvertedEstimator {
  const place = readDocument(document);
  const features = place.at('features').count(MOST_FEATURES);
  if (features === 0) throw invalidModel('The model has no feature.');
  const names = place
    .at('names')
    .list()
    .map((each) => each.text());
  if (names.length !== 0 && names.length !== features) {
    throw invalidModel(`The model names ${names.length} of its ${features} features.`);
  }
  const texts = new Set(Array.from(place.at('texts').numbers()));
  const used = new Set(Array.from(place.at('used').numbers()));
  const graph = new GraphBuilder('converted');
  const inputs = inputsOf(graph, features, names, { texts, used });
  const writer = new Writer(graph);
  const size = writeEstimator(
    writer,
    transform(writer, inputs, place.at('steps')),
    place.at('estimator'),
  );
  const source = place.at('source').text();
  const objective = place.at('summary').text();
  const classes = place.at('estimator').at('classes');
  const model = modelWith(graph, {
    source,
    objective,
    ...(names.length === 0 ? {} : { features: JSON.stringify(names) }),
    ...(classes.exists ? { classes: JSON.stringify(classNames(classes)) } : {}),
  });
  requireOwnNames(model);
  return {
    model,
    source,
    objective,
    ...size,
    features,
    featureNames: names,
    notes: place
      .at('notes')
      .list()
      .map((each) => each.text()),
    ...readSamples(place.at('samples'), inputs),
  };
}

/** Positions of columns. */
interface ColumnSets {
  readonly texts: ReadonlySet<number>;
  readonly used: ReadonlySet<number>;
}

/** One matrix where all columns are numbers, else an input for each column that a step reads. */
function inputsOf(
  graph: GraphBuilder,
  features: number,
  names: readonly string[],
  { texts, used }: ColumnSets,
): Frame {
  if (texts.size === 0 && (names.length === 0 || used.size === features)) {
    graph.input(INPUT, 'float32', ['batch', features]);
    return [numberPart(INPUT, features, 'float32')];
  }
  return Array.from({ length: features }, (_, at) => {
    const name = names[at] ?? `${INPUT}${at}`;
    if (!used.has(at)) return { kind: 'unused', name, width: 1 };
    const isText = texts.has(at);
    graph.input(name, isText ? 'string' : 'float32', ['batch', 1]);
    return isText ? { kind: 'text', name, width: 1 } : numberPart(name, 1, 'float32');
  });
}

/** Inputs are named as the columns of a data frame, and all names of a graph are in one space. */
function requireOwnNames({ graph }: Model): void {
  const used = new Set(graph!.node.flatMap(({ output }) => output));
  for (const { name } of graph!.initializer) used.add(name);
  for (const { name } of graph!.input) {
    if (name === '' || used.has(name)) {
      throw unsupportedModel(
        `The column "${name}" has no name of its own: an output or another column has it too. Rename it and train again.`,
      );
    }
    used.add(name);
  }
}

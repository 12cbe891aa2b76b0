/**
 * The columns of a table as the inputs of a model, so that a client sends the values as they stand
 * in the table: a number for a number and a text for a text, under the names of their columns.
 *
 *   age   float32 [batch] ─ Unsqueeze ──────────────────┐
 *   city  string  [batch] ─ LabelEncoder ─ Unsqueeze ───┤ Concat ─ features [batch, columns] → encoding
 *   day   string  [batch] ─ its year, month, … ─────────┘
 *
 * Training steps take `features`, in which a category is its position: no text is looked up twice.
 * LabelEncoder belongs to ai.onnx.ml, the ONNX standard's second set of operators; it gives a text
 * that was not in the training rows the position after the last, which the encoding makes all zeros.
 */
import {
  float,
  floats,
  GraphBuilder,
  signatureOf,
  tensor,
  withGraph,
  type Model,
} from '@skein/onnx';
import { canReadDates, emitDateParts, raiseOpset } from '../dates/date-graph.ts';
import type { Encoder, Feature } from './encoder.ts';

const FEATURES = 'features';
/** Names of the nodes before the encoding; no exporter writes such names. */
const PREFIX = 'columns/';
const ML = { domain: 'ai.onnx.ml', version: 2n };

/**
 * The model that takes the columns by their names instead of `features`. A model without texts
 * still takes `features`, because its rows are lists of numbers.
 */
export function withRawColumns(model: Model, { features, dates: given = [] }: Encoder): Model {
  const input = signatureOf(model).inputs.find(({ name }) => name === FEATURES);
  // For a network with operators that the newer operator set has changed, each part is an input.
  const dates = canReadDates(model) ? given : [];
  if (input === undefined) return model;
  if (dates.length === 0 && features.every(({ kind }) => kind === 'number')) return model;
  const graph = model.graph!;
  const [batch = null] = input.shape;
  const taken = new Set([
    ...graph.node.flatMap(({ output }) => output),
    ...graph.initializer.map(({ name }) => name),
    FEATURES,
  ]);
  const border = new GraphBuilder('columns');
  const emit = (operator: string, inputs: readonly string[], attributes = {}, options = {}) => {
    const name = `${PREFIX}${operator}_${border.graph().node.length}`;
    const outputs = operator === 'StringSplit' ? 2 : 1;
    return border.node(operator, inputs, attributes, { name, outputs, ...options })[0];
  };
  const axis = emit('Constant', [], { value: tensor('int64', [1], BigInt64Array.of(1n)) });
  const columns = features.flatMap((feature): string[] => {
    const date = dates.find(({ parts }) => parts.includes(feature.name));
    if (date !== undefined) {
      if (date.parts[0] !== feature.name) return [];
      const text = freeName(date.name, taken);
      border.input(text, 'string', [batch]);
      return [emitDateParts(emit, text, date.format)];
    }
    const name = freeName(feature.name, taken);
    border.input(name, feature.kind === 'number' ? 'float32' : 'string', [batch]);
    const numbers =
      feature.kind === 'number' ? name : emitPositions(emit, name, feature.categories);
    return [emit('Unsqueeze', [numbers, axis])];
  });
  emit('Concat', columns, { axis: 1 }, { outputs: [FEATURES] });
  const { node, input: inputs } = border.graph();
  const wide = withGraph(model, {
    node: [...node, ...graph.node],
    input: [...inputs, ...graph.input.filter(({ name }) => name !== FEATURES)],
  });
  wide.opsetImport = [
    ...model.opsetImport.filter(({ domain }) => domain !== ML.domain),
    { ...model.opsetImport[0]!, ...ML },
  ];
  if (dates.length > 0) raiseOpset(wide);
  return wide;
}

type Emit = (
  operator: string,
  inputs: readonly string[],
  attributes: object,
  options: object,
) => string;

function emitPositions(emit: Emit, name: string, categories: readonly string[]): string {
  const attributes = {
    keys_strings: categories,
    values_floats: floats(categories.map((_, position) => position)),
    default_float: float(categories.length),
  };
  return emit('LabelEncoder', [name], attributes, { domain: ML.domain });
}

/** The same model taking `features` again, for further training. */
export function withoutRawColumns(model: Model, { features }: Encoder): Model {
  const graph = model.graph!;
  const border = graph.node.filter(({ name }) => name.startsWith(PREFIX));
  if (border.length === 0) return model;
  const read = new Set(border.flatMap(({ input }) => input));
  const { inputs } = signatureOf(model);
  const [batch = null] = inputs.find(({ name }) => read.has(name))?.shape ?? [];
  const inner = new GraphBuilder('features');
  inner.input(FEATURES, 'float32', [batch, features.length]);
  const narrow = withGraph(model, {
    node: graph.node.filter((node) => !border.includes(node)),
    input: [...inner.graph().input, ...graph.input.filter(({ name }) => !read.has(name))],
  });
  narrow.opsetImport = model.opsetImport.filter(({ domain }) => domain !== ML.domain);
  return narrow;
}

/** A column may have the name of a value in the network. */
function freeName(name: Feature['name'], taken: Set<string>): string {
  let free = name;
  while (taken.has(free)) free = `${free}_column`;
  taken.add(free);
  return free;
}

/**
 * The part of an inference request without its numbers: names, shapes, parameters. Clients send the
 * same envelope with every request, so recent ones are cached by their text. A cached envelope
 * costs a lookup instead of a parser and a dozen checks.
 */
import type { ElementType } from '@skein/onnx';
import type { Classes } from '../classification.ts';
import type { SharedSlice } from '../shared-memory/shared-memory.ts';
import { sliceFrom, type SharedOutputs } from '../shared-memory/shared-tensors.ts';
import { addStrings, elementTypeFor, checkedShape } from '../tensors/tensor-bytes.ts';
import {
  classesFrom,
  classNamesFrom,
  type Fields,
  priorityFrom,
  refuseSequences,
  timeoutFrom,
} from '../parameters.ts';
import { carve, parseCarved, type CarvedArray } from './json-carve.ts';
import { brief, invalidRequest } from '../../brief.ts';

/** Shared by requests: must not be changed. */
export interface Envelope {
  readonly id: string | undefined;
  readonly inputs: readonly InputEnvelope[];
  /** Outputs to return; all if absent. */
  readonly outputs: readonly string[] | undefined;
  readonly binary: BinaryChoice;
  /** Outputs whose highest values alone are returned; absent: no output. */
  readonly classes: Classes | undefined;
  /** Whether outputs that score classes have their names next to them. */
  readonly classNames: boolean;
  /** Triton's `timeout`, in milliseconds. */
  readonly timeoutMs: number | undefined;
  readonly priority: number;
}

export interface InputEnvelope {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** So many bytes behind the JSON, the carved array with that index, or shared memory. */
  readonly data:
    | { readonly bytes: number }
    | { readonly array: number }
    | { readonly slice: SharedSlice };
}

/** Whether an output is returned as binary data, or in shared memory. */
export interface BinaryChoice {
  readonly byDefault: boolean;
  readonly byOutput: ReadonlyMap<string, boolean>;
  readonly shared?: SharedOutputs | undefined;
}

export interface Opened {
  readonly envelope: Envelope;
  /** Positions of the JSON data in the body. */
  readonly arrays: readonly CarvedArray[];
}

const NO_FIELDS: Fields = {};
const NO_CHOICES: ReadonlyMap<string, boolean> = new Map();
const NO_ARRAYS: readonly CarvedArray[] = [];

/** Longer envelopes are not cached: the cache stays below some hundred kilobytes. */
const MAX_TEXT = 1024;
const MAX_REMEMBERED = 128;
/** Inputs or outputs of a request. The code loops over each, and no model has so many. */
const MAX_TENSORS = 1024;
/** Characters of a name or an id: messages repeat it. */
const MAX_NAME = 1024;
/** By the text without its arrays, and by the bytes of an envelope that has none. */
const carvedOnes = new Map<string, Envelope>();
const wholeOnes = new Map<string, Envelope>();

/**
 * @param jsonLength bytes of JSON at the start of the body; absent when all of it is JSON.
 * @throws SkeinError BODY_NOT_JSON, REQUEST_INVALID, INPUT_DATATYPE, INPUT_SHAPE.
 */
export function openEnvelope(body: Buffer, jsonLength: number | undefined): Opened {
  const end = jsonLength ?? body.length;
  // With binary tensors there is usually nothing to carve: compare the bytes directly.
  const bytes =
    jsonLength === undefined || end > MAX_TEXT ? undefined : body.toString('latin1', 0, end);
  const known = bytes === undefined ? undefined : wholeOnes.get(bytes);
  if (known !== undefined) return { envelope: known, arrays: NO_ARRAYS };

  const carved = carve(body, end);
  const { arrays, text } = carved;
  let envelope = arrays.length === 0 ? undefined : carvedOnes.get(text);
  if (envelope === undefined) {
    envelope = readEnvelope(parseCarved(carved, body, end));
    if (arrays.length > 0) remember(carvedOnes, text, envelope);
    else if (bytes !== undefined) remember(wholeOnes, bytes, envelope);
  }
  return { envelope, arrays };
}

function remember(envelopes: Map<string, Envelope>, text: string, envelope: Envelope): void {
  if (text.length > MAX_TEXT) return;
  if (envelopes.size >= MAX_REMEMBERED) envelopes.clear();
  envelopes.set(text, envelope);
}

function readEnvelope(value: unknown): Envelope {
  const request = object(value, 'The body');
  const parameters = parametersOf(request, 'The request');
  refuseSequences(parameters);
  const { byOutput, names, classes, shared } = readOutputs(request['outputs']);
  return {
    id: optionalString(request['id'], 'id'),
    inputs: readInputs(request['inputs']),
    outputs: names,
    binary: {
      byDefault: optionalBoolean(parameters, 'binary_data_output') ?? false,
      byOutput,
      shared,
    },
    classes,
    classNames: classNamesFrom(parameters),
    timeoutMs: timeoutFrom(parameters['timeout']),
    priority: priorityFrom(parameters['priority']),
  };
}

function readInputs(inputs: unknown): readonly InputEnvelope[] {
  // A model may have none.
  if (!Array.isArray(inputs)) {
    throw invalidRequest(`"inputs" must be a list, but it is ${brief(inputs)}.`);
  }
  checkCount(inputs, 'inputs');
  const names = new Set<string>();
  let strings = 0;
  return (inputs as unknown[]).map((item) => {
    const input = readInput(object(item, 'Every input'));
    if (names.has(input.name)) {
      throw invalidRequest(`Input "${input.name}" is given twice.`);
    }
    names.add(input.name);
    if (input.type === 'string') strings = addStrings(strings, input.shape);
    return input;
  });
}

function readInput(input: Fields): InputEnvelope {
  const name = requiredString(input['name'], 'The name of an input');
  const type = elementTypeFor(
    requiredString(input['datatype'], `The datatype of input "${name}"`),
    name,
  );
  const shape = Object.freeze(checkedShape(input['shape'], name));
  const parameters = parametersOf(input, `Input "${name}"`);
  const { data } = input;
  const slice = sliceFrom(parameters, `input "${name}"`);
  if (slice !== undefined) {
    if (data === undefined) return { name, type, shape, data: { slice } };
    throw invalidRequest(`Input "${name}" has both data and shared memory; send one of them.`);
  }
  const size = parameters['binary_data_size'];
  if (size === undefined) {
    // Every list has been carved out; its index is in its place.
    const index = Array.isArray(data) ? (data[0] as unknown) : undefined;
    if (typeof index === 'number') return { name, type, shape, data: { array: index } };
    throw invalidRequest(`The data of input "${name}" must be a list, but it is ${brief(data)}.`);
  }
  if (data !== undefined) {
    throw invalidRequest(`Input "${name}" has both data and binary_data_size; send one of them.`);
  }
  if (!Number.isSafeInteger(size) || (size as number) < 0) {
    throw invalidRequest(
      `binary_data_size of input "${name}" must be a number of bytes, but it is ${brief(size)}.`,
    );
  }
  return { name, type, shape, data: { bytes: size as number } };
}

function readOutputs(outputs: unknown): {
  names: readonly string[] | undefined;
  byOutput: ReadonlyMap<string, boolean>;
  classes: Classes | undefined;
  shared: SharedOutputs | undefined;
} {
  const all = { names: undefined, byOutput: NO_CHOICES, classes: undefined, shared: undefined };
  if (outputs === undefined) return all;
  if (!Array.isArray(outputs)) {
    throw invalidRequest(`"outputs" must be a list, but it is ${brief(outputs)}.`);
  }
  if (outputs.length === 0) return all;
  checkCount(outputs, 'outputs');
  const names: string[] = [];
  const byOutput = new Map<string, boolean>();
  const classes = new Map<string, number>();
  const shared = new Map<string, SharedSlice>();
  for (const item of outputs as unknown[]) {
    const output = object(item, 'Every output');
    const name = requiredString(output['name'], 'The name of an output');
    const parameters = parametersOf(output, `Output "${name}"`);
    const count = classesFrom(parameters, name);
    if (count !== undefined) classes.set(name, count);
    const slice = sliceFrom(parameters, `output "${name}"`);
    if (slice !== undefined) shared.set(name, slice);
    const binary = optionalBoolean(parameters, 'binary_data');
    if (binary !== undefined) byOutput.set(name, binary);
    names.push(name);
  }
  return {
    names: Object.freeze(names),
    byOutput,
    classes: classes.size === 0 ? undefined : classes,
    shared: shared.size === 0 ? undefined : shared,
  };
}

function checkCount(list: readonly unknown[], what: string): void {
  if (list.length <= MAX_TENSORS) return;
  throw invalidRequest(`"${what}" has ${list.length} elements; a request may have ${MAX_TENSORS}.`);
}

function parametersOf(fields: Fields, of: string): Fields {
  const { parameters } = fields;
  return parameters === undefined ? NO_FIELDS : object(parameters, `${of}’s "parameters"`);
}

function object(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw invalidRequest(`${what} must be an object, but it is ${brief(value)}.`);
}

function requiredString(value: unknown, what: string): string {
  if (typeof value === 'string') {
    if (value.length <= MAX_NAME) return value;
    throw invalidRequest(`${what} has more than ${MAX_NAME} characters.`);
  }
  throw invalidRequest(`${what} must be a string, but it is ${brief(value)}.`);
}

function optionalString(value: unknown, name: string): string | undefined {
  return value === undefined ? undefined : requiredString(value, `"${name}"`);
}

function optionalBoolean(parameters: Fields, name: string): boolean | undefined {
  const value = parameters[name];
  if (value === undefined || typeof value === 'boolean') return value;
  throw invalidRequest(`The parameter ${name} must be true or false, but it is ${brief(value)}.`);
}

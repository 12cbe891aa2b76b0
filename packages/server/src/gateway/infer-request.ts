/**
 * Reads the body of `POST …/infer`: the Open Inference Protocol's JSON, Triton's binary tensors
 * behind it, or a mix of both. Binary tensors are views on the body; JSON numbers are read once,
 * straight into their type.
 */
import { SkeinError } from '@skein/api';
import type { Tensor } from '@skein/onnx';
import { elementTypeFor } from './datatypes.ts';
import { carve, type CarvedJson } from './json-carve.ts';
import {
  type Fields,
  priorityFrom,
  refuseClassification,
  refuseSequences,
  refuseSharedMemory,
  timeoutFrom,
} from './infer-parameters.ts';
import { readNumbers } from './json-numbers.ts';
import { readStrings } from './json-strings.ts';
import { brief, checkedShape, tensorFromBytes } from './tensor-bytes.ts';

/** What a request says, before it has a caller and a deadline. */
export interface DecodedRequest {
  /** The client's own id, to be echoed. */
  readonly id: string | undefined;
  readonly inputs: Map<string, Tensor>;
  /** Outputs to return; all when absent. */
  readonly outputs: readonly string[] | undefined;
  /** Whether an output goes out as binary data. */
  readonly binary: BinaryChoice;
  /** Triton's `timeout`, in milliseconds. */
  readonly timeoutMs: number | undefined;
  readonly priority: number;
}

export interface BinaryChoice {
  readonly byDefault: boolean;
  readonly byOutput: ReadonlyMap<string, boolean>;
}

const NO_FIELDS: Fields = {};
const NO_CHOICES: ReadonlyMap<string, boolean> = new Map();

/**
 * @param jsonLength bytes of JSON at the start of the body; absent when all of it is JSON.
 * @throws SkeinError BODY_NOT_JSON, REQUEST_INVALID, HEADER_LENGTH_INVALID, INPUT_DATATYPE,
 *   INPUT_SHAPE, INPUT_DATA.
 */
export function decodeInferRequest(body: Buffer, jsonLength: number | undefined): DecodedRequest {
  const carved = carve(body, jsonLength ?? body.length);
  const request = object(carved.value, 'The body');
  const parameters = parametersOf(request, 'The request');
  refuseSequences(parameters);

  const { byOutput, names } = readOutputs(request['outputs']);
  return {
    id: optionalString(request['id'], 'id'),
    inputs: readInputs(request['inputs'], carved, body, jsonLength),
    outputs: names,
    binary: { byDefault: optionalBoolean(parameters, 'binary_data_output') ?? false, byOutput },
    timeoutMs: timeoutFrom(parameters['timeout']),
    priority: priorityFrom(parameters['priority']),
  };
}

function readInputs(
  inputs: unknown,
  carved: CarvedJson,
  body: Buffer,
  jsonLength: number | undefined,
): Map<string, Tensor> {
  if (!Array.isArray(inputs) || inputs.length === 0) {
    throw new SkeinError(
      'REQUEST_INVALID',
      `"inputs" must be a list of at least one input, but it is ${brief(inputs)}.`,
    );
  }
  const tensors = new Map<string, Tensor>();
  let binaryAt = jsonLength ?? body.length;
  let arraysRead = 0;

  for (const item of inputs as unknown[]) {
    const input = object(item, 'Every input');
    const name = requiredString(input['name'], 'The name of an input');
    if (tensors.has(name)) {
      throw new SkeinError('REQUEST_INVALID', `Input "${name}" is given twice.`);
    }
    const type = elementTypeFor(
      requiredString(input['datatype'], `The datatype of input "${name}"`),
      name,
    );
    const shape = checkedShape(input['shape'], name);
    const parameters = parametersOf(input, `Input "${name}"`);
    refuseSharedMemory(parameters, name);

    const size = parameters['binary_data_size'];
    const { data } = input;
    if (size !== undefined) {
      if (data !== undefined) {
        throw new SkeinError(
          'REQUEST_INVALID',
          `Input "${name}" has both data and binary_data_size; send one of them.`,
        );
      }
      if (jsonLength === undefined) {
        throw new SkeinError(
          'HEADER_LENGTH_INVALID',
          `Input "${name}" is binary, but the header Inference-Header-Content-Length is missing.`,
        );
      }
      if (!Number.isSafeInteger(size) || (size as number) < 0) {
        throw new SkeinError(
          'REQUEST_INVALID',
          `binary_data_size of input "${name}" must be a number of bytes, but it is ${brief(size)}.`,
        );
      }
      const end = binaryAt + (size as number);
      if (end > body.length) {
        throw new SkeinError(
          'INPUT_DATA',
          `Input "${name}" claims ${size as number} bytes of binary data, but ${body.length - binaryAt} are left in the body.`,
        );
      }
      tensors.set(name, tensorFromBytes(type, shape, body.subarray(binaryAt, end), name));
      binaryAt = end;
      continue;
    }

    const array = Array.isArray(data) ? carved.arrays[data[0] as number] : undefined;
    if (array === undefined) {
      throw new SkeinError(
        'REQUEST_INVALID',
        `The data of input "${name}" must be a list, but it is ${brief(data)}.`,
      );
    }
    arraysRead++;
    tensors.set(
      name,
      type === 'string'
        ? { type, shape, elements: readStrings(body, array, shape, name) }
        : readNumbers(body, array.start, array.end, type, shape, name),
    );
  }

  if (jsonLength !== undefined && binaryAt !== body.length) {
    throw new SkeinError(
      'INPUT_DATA',
      `${body.length - binaryAt} bytes at the end of the body belong to no input; check binary_data_size and Inference-Header-Content-Length.`,
    );
  }
  // An array that no input uses was never looked into; the body must still be JSON.
  if (arraysRead !== carved.arrays.length) {
    for (const { start, end } of carved.arrays) carve(body.subarray(start, end), end - start);
  }
  return tensors;
}

function readOutputs(outputs: unknown): {
  names: readonly string[] | undefined;
  byOutput: ReadonlyMap<string, boolean>;
} {
  if (outputs === undefined) return { names: undefined, byOutput: NO_CHOICES };
  if (!Array.isArray(outputs)) {
    throw new SkeinError(
      'REQUEST_INVALID',
      `"outputs" must be a list, but it is ${brief(outputs)}.`,
    );
  }
  if (outputs.length === 0) return { names: undefined, byOutput: NO_CHOICES };
  const names: string[] = [];
  const byOutput = new Map<string, boolean>();
  for (const item of outputs as unknown[]) {
    const output = object(item, 'Every output');
    const name = requiredString(output['name'], 'The name of an output');
    const parameters = parametersOf(output, `Output "${name}"`);
    refuseClassification(parameters, name);
    refuseSharedMemory(parameters, name);
    const binary = optionalBoolean(parameters, 'binary_data');
    if (binary !== undefined) byOutput.set(name, binary);
    names.push(name);
  }
  return { names, byOutput };
}

function parametersOf(fields: Fields, of: string): Fields {
  const { parameters } = fields;
  return parameters === undefined ? NO_FIELDS : object(parameters, `${of}’s "parameters"`);
}

function object(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new SkeinError('REQUEST_INVALID', `${what} must be an object, but it is ${brief(value)}.`);
}

function requiredString(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw new SkeinError('REQUEST_INVALID', `${what} must be a string, but it is ${brief(value)}.`);
}

function optionalString(value: unknown, name: string): string | undefined {
  return value === undefined ? undefined : requiredString(value, `"${name}"`);
}

function optionalBoolean(parameters: Fields, name: string): boolean | undefined {
  const value = parameters[name];
  if (value === undefined || typeof value === 'boolean') return value;
  throw new SkeinError(
    'REQUEST_INVALID',
    `The parameter ${name} must be true or false, but it is ${brief(value)}.`,
  );
}

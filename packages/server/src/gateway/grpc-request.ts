/**
 * Reads `ModelInferRequest` from its wire format, without the objects of generated code: tensors
 * become views on the message, and every repeated field has a bound, so that a hostile message
 * cannot grow into a hundred times its size. The generated code is the oracle of the tests.
 */
import { SkeinError } from '@skein/api';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import type { Tensor } from '@skein/onnx';
import { elementTypeFor } from './datatypes.ts';
import { tensorFromContents } from './grpc-contents.ts';
import {
  priorityFrom,
  refuseClassification,
  refuseSequences,
  refuseSharedMemory,
  timeoutFrom,
} from './infer-parameters.ts';
import { checkedShape, MAX_RANK, tensorFromBytes } from './tensor-bytes.ts';

export interface GrpcRequest {
  readonly model: string;
  /** Absent: the traffic split chooses. */
  readonly version: string | undefined;
  /** Empty when the client gave none. */
  readonly id: string;
  readonly inputs: Map<string, Tensor>;
  readonly outputs: readonly string[] | undefined;
  readonly timeoutMs: number | undefined;
  readonly priority: number;
}

/** Inputs, outputs, parameters: far above any model, far below what exhausts memory. */
const MAX_ITEMS = 4096;

type Parameters = Record<string, boolean | number | string>;

interface WireInput {
  name: string;
  datatype: string;
  readonly shape: number[];
  readonly parameters: Parameters;
  readonly contents: Uint8Array[];
}

/** @throws SkeinError REQUEST_INVALID, INPUT_DATATYPE, INPUT_SHAPE, INPUT_DATA. */
export function decodeGrpcRequest(message: Uint8Array): GrpcRequest {
  try {
    return readRequest(message);
  } catch (error) {
    if (error instanceof SkeinError) throw error;
    throw new SkeinError('REQUEST_INVALID', 'The message is not a ModelInferRequest.', {
      cause: error,
    });
  }
}

/** Bytes of tensors in typed lists, which are read value by value. 0 when it is not a message. */
export function typedBytes(message: Uint8Array): number {
  let bytes = 0;
  try {
    forEachField(message, 5, (input) => {
      forEachField(input, 5, (contents) => (bytes += contents.length));
    });
  } catch {
    return 0;
  }
  return bytes;
}

function forEachField(message: Uint8Array, number: number, read: (bytes: Uint8Array) => void) {
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === number) read(reader.bytes());
    else reader.skip(wireType, field);
  }
}

function readRequest(message: Uint8Array): GrpcRequest {
  const reader = new BinaryReader(message);
  let model = '';
  let version = '';
  let id = '';
  const parameters: Parameters = {};
  const inputs: WireInput[] = [];
  const outputs: string[] = [];
  const raw: Uint8Array[] = [];

  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    switch (field) {
      case 1:
        model = reader.string(true);
        break;
      case 2:
        version = reader.string(true);
        break;
      case 3:
        id = reader.string(true);
        break;
      case 4:
        readParameter(reader.bytes(), parameters);
        break;
      case 5:
        bounded(inputs, 'inputs').push(readInput(reader.bytes()));
        break;
      case 6:
        bounded(outputs, 'outputs').push(readOutput(reader.bytes()));
        break;
      case 7:
        bounded(raw, 'raw_input_contents').push(reader.bytes());
        break;
      default:
        reader.skip(wireType, field);
    }
  }
  refuseSequences(parameters);
  return {
    model,
    version: version === '' ? undefined : version,
    id,
    inputs: tensorsOf(inputs, raw),
    outputs: outputs.length === 0 ? undefined : outputs,
    timeoutMs: timeoutFrom(parameters['timeout']),
    priority: priorityFrom(parameters['priority']),
  };
}

function tensorsOf(inputs: readonly WireInput[], raw: readonly Uint8Array[]): Map<string, Tensor> {
  if (inputs.length === 0) throw new SkeinError('REQUEST_INVALID', 'The request has no inputs.');
  if (raw.length > 0 && raw.length !== inputs.length) {
    throw new SkeinError(
      'INPUT_DATA',
      `The request has ${inputs.length} inputs, but ${raw.length} raw_input_contents; send one for each.`,
    );
  }
  const tensors = new Map<string, Tensor>();
  for (const [index, { name, datatype, shape, parameters, contents }] of inputs.entries()) {
    if (tensors.has(name)) {
      throw new SkeinError('REQUEST_INVALID', `Input "${name}" is given twice.`);
    }
    refuseSharedMemory(parameters, name);
    const type = elementTypeFor(datatype, name);
    checkedShape(shape, name);
    const bytes = raw[index];
    if (bytes === undefined) {
      tensors.set(name, tensorFromContents(type, shape, contents, name));
    } else if (contents.length === 0) {
      tensors.set(name, tensorFromBytes(type, shape, bytes, name));
    } else {
      throw new SkeinError(
        'REQUEST_INVALID',
        `Input "${name}" has both contents and raw_input_contents; send one of them.`,
      );
    }
  }
  return tensors;
}

function readInput(message: Uint8Array): WireInput {
  const reader = new BinaryReader(message);
  const input: WireInput = { name: '', datatype: '', shape: [], parameters: {}, contents: [] };
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    switch (field) {
      case 1:
        input.name = reader.string(true);
        break;
      case 2:
        input.datatype = reader.string(true);
        break;
      case 3: {
        // Packed, or one by one.
        const packed = wireType === WireType.LengthDelimited;
        const end = packed ? reader.uint32() + reader.pos : reader.pos + 1;
        while (reader.pos < end) {
          input.shape.push(Number(reader.int64()));
          if (input.shape.length > MAX_RANK) checkedShape(input.shape, input.name);
        }
        break;
      }
      case 4:
        readParameter(reader.bytes(), input.parameters);
        break;
      case 5:
        bounded(input.contents, 'contents').push(reader.bytes());
        break;
      default:
        reader.skip(wireType, field);
    }
  }
  return input;
}

function readOutput(message: Uint8Array): string {
  const reader = new BinaryReader(message);
  let name = '';
  const parameters: Parameters = {};
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) name = reader.string(true);
    else if (field === 2) readParameter(reader.bytes(), parameters);
    else reader.skip(wireType, field);
  }
  refuseClassification(parameters, name);
  refuseSharedMemory(parameters, name);
  return name;
}

/** An entry of a map from names to InferParameter. */
function readParameter(entry: Uint8Array, into: Parameters): void {
  const reader = new BinaryReader(entry);
  let key = '';
  let value: Uint8Array | undefined;
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) key = reader.string(true);
    else if (field === 2) value = reader.bytes();
    else reader.skip(wireType, field);
  }
  if (value === undefined || !KNOWN_PARAMETERS.has(key)) return;
  const choice = new BinaryReader(value);
  while (choice.pos < choice.len) {
    const [field, wireType] = choice.tag();
    if (field === 1) into[key] = choice.bool();
    else if (field === 2) into[key] = Number(choice.int64());
    else if (field === 3) into[key] = choice.string(true);
    else if (field === 4) into[key] = choice.double();
    else if (field === 5) into[key] = Number(choice.uint64());
    else choice.skip(wireType, field);
  }
}

/** The parameters that change an answer; others are nobody's and are not kept. */
const KNOWN_PARAMETERS: ReadonlySet<string> = new Set([
  'timeout',
  'priority',
  'sequence_id',
  'sequence_start',
  'classification',
  'shared_memory_region',
]);

function bounded<T>(items: T[], name: string): T[] {
  if (items.length < MAX_ITEMS) return items;
  throw new SkeinError('REQUEST_INVALID', `The request has more than ${MAX_ITEMS} ${name}.`);
}

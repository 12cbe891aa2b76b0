/**
 * Decodes `ModelInferRequest` from its wire format, without the objects of generated code: tensors
 * become views on the message, and every repeated field has a bound, so that a hostile message
 * cannot take a hundred times its size. The tests compare it with the generated code.
 */
import { SkeinError } from '@skein/api';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { elementCount, elementSize, type Tensor } from '@skein/onnx';
import {
  addStrings,
  elementTypeFor,
  checkedShape,
  MAX_RANK,
  tensorFromBytes,
} from '../tensors/tensor-bytes.ts';
import { tensorFromContents } from './contents.ts';
import { QUICK_FIELDS } from './quick-to-read.ts';
import type { Classes } from '../classification.ts';
import type { SharedSlice } from '../shared-memory/shared-memory.ts';
import {
  sliceFrom,
  type SharedInput,
  type SharedOutputs,
} from '../shared-memory/shared-tensors.ts';
import {
  classesFrom,
  classNamesFrom,
  priorityFrom,
  refuseSequences,
  timeoutFrom,
} from '../parameters.ts';
import { invalidData, invalidRequest } from '../../brief.ts';

export interface GrpcRequest {
  readonly model: string;
  /** Absent: the traffic split chooses. */
  readonly version: string | undefined;
  /** Empty if the client sent none. */
  readonly id: string;
  readonly inputs: Map<string, Tensor>;
  /** Inputs that are not among them yet; absent: none. */
  readonly shared?: readonly SharedInput[];
  /** Outputs that are written to shared memory; absent: none. */
  readonly sharedOutputs: SharedOutputs | undefined;
  readonly outputs: readonly string[] | undefined;
  /** Outputs whose highest values alone are returned; absent: no output. */
  readonly classes: Classes | undefined;
  /** Whether outputs that score classes have their names next to them. */
  readonly classNames: boolean;
  readonly timeoutMs: number | undefined;
  readonly priority: number;
  /** Triton's `triton_enable_empty_final_response`: whether a response without outputs ends an answer of many chunks. */
  readonly emptyFinal: boolean;
}

/** Inputs, outputs, parameters: far more than any model has, far less than exhausts memory. */
const MAX_ITEMS = 4096;
/** Fields of a message including nested ones, except the values of tensors. */
const MAX_FIELDS = 65_536;
/** Bytes of a name, an id, or the value of a parameter. */
const MAX_TEXT = 4096;

type Parameters = Record<string, boolean | number | string>;

interface WireInput {
  name: string;
  datatype: string;
  readonly shape: number[];
  slice: SharedSlice | undefined;
  readonly contents: Uint8Array[];
}

/**
 * @param maxTensorBytes size of the decoded typed lists together: a byte on the wire can be an
 *   int64.
 * @throws SkeinError REQUEST_INVALID, BODY_TOO_LARGE, INPUT_DATATYPE, INPUT_SHAPE, INPUT_DATA.
 */
export function decodeGrpcRequest(
  message: Uint8Array,
  maxTensorBytes: number = Infinity,
): GrpcRequest {
  try {
    return readRequest(message, maxTensorBytes);
  } catch (error) {
    if (error instanceof SkeinError) throw error;
    throw new SkeinError('REQUEST_INVALID', 'The message is not a ModelInferRequest.', {
      cause: error,
    });
  }
}

/** The id of a message that may be invalid elsewhere; empty if it has none that can be read quickly. */
export function requestIdOf(message: Uint8Array): string {
  const reader = new BinaryReader(message);
  let id = '';
  try {
    for (let fields = 0; reader.pos < reader.len && fields < QUICK_FIELDS; fields++) {
      const [field, wireType] = reader.tag();
      if (wireType === WireType.StartGroup) return id;
      if (field !== 3 || wireType !== WireType.LengthDelimited) {
        reader.skip(wireType);
        continue;
      }
      const bytes = reader.bytes();
      id = bytes.length <= MAX_TEXT ? Buffer.from(bytes).toString('utf8') : '';
    }
  } catch {
    // The rest is not a field.
  }
  return id;
}

/** Reads a message field by field and counts the fields of all nested messages. */
class FieldReader extends BinaryReader {
  readonly #count: { fields: number };

  constructor(bytes: Uint8Array, count = { fields: 0 }) {
    super(bytes);
    this.#count = count;
  }

  get more(): boolean {
    return this.pos < this.len;
  }

  override tag(): [number, WireType] {
    if (++this.#count.fields > MAX_FIELDS) {
      throw invalidRequest(`The request has more than ${MAX_FIELDS} fields.`);
    }
    return super.tag();
  }

  /** The nested message of the current field. */
  nested(): FieldReader {
    return new FieldReader(this.bytes(), this.#count);
  }

  /** @param name of the field, for the error. */
  text(name: string): string {
    const start = this.pos;
    const length = this.uint32();
    if (length > MAX_TEXT) {
      throw invalidRequest(`The field ${name} has ${length} bytes; it may have ${MAX_TEXT}.`);
    }
    this.pos = start;
    return this.string(true);
  }
}

function readRequest(message: Uint8Array, maxTensorBytes: number): GrpcRequest {
  const reader = new FieldReader(message);
  let model = '';
  let version = '';
  let id = '';
  const parameters: Parameters = {};
  const inputs: WireInput[] = [];
  const outputs: string[] = [];
  const classes = new Map<string, number>();
  const sharedOutputs = new Map<string, SharedSlice>();
  const shared: SharedInput[] = [];
  const raw: Uint8Array[] = [];

  while (reader.more) {
    const [field, wireType] = reader.tag();
    switch (field) {
      case 1:
        model = reader.text('model_name');
        break;
      case 2:
        version = reader.text('model_version');
        break;
      case 3:
        id = reader.text('id');
        break;
      case 4:
        readParameter(reader.nested(), parameters);
        break;
      case 5:
        bounded(inputs, 'inputs').push(readInput(reader.nested()));
        break;
      case 6:
        bounded(outputs, 'outputs').push(readOutput(reader.nested(), classes, sharedOutputs));
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
    inputs: tensorsOf(inputs, raw, maxTensorBytes, shared),
    ...(shared.length === 0 ? {} : { shared }),
    sharedOutputs: sharedOutputs.size === 0 ? undefined : sharedOutputs,
    outputs: outputs.length === 0 ? undefined : outputs,
    classes: classes.size === 0 ? undefined : classes,
    classNames: classNamesFrom(parameters),
    timeoutMs: timeoutFrom(parameters['timeout']),
    priority: priorityFrom(parameters['priority']),
    emptyFinal: parameters['triton_enable_empty_final_response'] === true,
  };
}

function tensorsOf(
  inputs: readonly WireInput[],
  raw: readonly Uint8Array[],
  maxTensorBytes: number,
  shared: SharedInput[],
): Map<string, Tensor> {
  let left = maxTensorBytes;
  const sent = inputs.filter(({ slice }) => slice === undefined).length;
  if (raw.length > 0 && raw.length !== sent) {
    throw invalidData(
      `The request has ${sent} inputs, but ${raw.length} raw_input_contents; send one for each.`,
    );
  }
  const tensors = new Map<string, Tensor>();
  let rawAt = 0;
  let strings = 0;
  for (const { name, datatype, shape, slice, contents } of inputs) {
    if (tensors.has(name) || shared.some((input) => input.name === name)) {
      throw invalidRequest(`Input "${name}" is given twice.`);
    }
    const type = elementTypeFor(datatype, name);
    checkedShape(shape, name);
    if (type === 'string') strings = addStrings(strings, shape);
    if (slice !== undefined) {
      if (contents.length > 0) {
        throw invalidRequest(
          `Input "${name}" has both contents and shared memory; send one of them.`,
        );
      }
      shared.push({ name, type, shape, slice });
      continue;
    }
    const bytes = raw[rawAt++];
    if (bytes === undefined) {
      if (type !== 'string') left -= elementCount(shape) * elementSize(type);
      if (left < 0) {
        throw new SkeinError(
          'BODY_TOO_LARGE',
          `The values of the request take more than ${maxTensorBytes} bytes, which is what the node accepts.`,
        );
      }
      tensors.set(name, tensorFromContents(type, shape, contents, name));
    } else if (contents.length === 0) {
      tensors.set(name, tensorFromBytes(type, shape, bytes, name));
    } else {
      throw invalidRequest(
        `Input "${name}" has both contents and raw_input_contents; send one of them.`,
      );
    }
  }
  return tensors;
}

function readInput(reader: FieldReader): WireInput {
  const parameters: Parameters = {};
  const input: WireInput = {
    name: '',
    datatype: '',
    shape: [],
    slice: undefined,
    contents: [],
  };
  while (reader.more) {
    const [field, wireType] = reader.tag();
    switch (field) {
      case 1:
        input.name = reader.text('name');
        break;
      case 2:
        input.datatype = reader.text('datatype');
        break;
      case 3: {
        // Packed, or one value per field.
        const packed = wireType === WireType.LengthDelimited;
        const end = packed ? reader.uint32() + reader.pos : reader.pos + 1;
        while (reader.pos < end) {
          input.shape.push(Number(reader.int64()));
          if (input.shape.length > MAX_RANK) checkedShape(input.shape, input.name);
        }
        break;
      }
      case 4:
        readParameter(reader.nested(), parameters);
        break;
      case 5:
        bounded(input.contents, 'contents').push(reader.bytes());
        break;
      default:
        reader.skip(wireType, field);
    }
  }
  input.slice = sliceFrom(parameters, `input "${input.name}"`);
  return input;
}

function readOutput(
  reader: FieldReader,
  classes: Map<string, number>,
  shared: Map<string, SharedSlice>,
): string {
  let name = '';
  const parameters: Parameters = {};
  while (reader.more) {
    const [field, wireType] = reader.tag();
    if (field === 1) name = reader.text('name');
    else if (field === 2) readParameter(reader.nested(), parameters);
    else reader.skip(wireType, field);
  }
  const count = classesFrom(parameters, name);
  if (count !== undefined) classes.set(name, count);
  const slice = sliceFrom(parameters, `output "${name}"`);
  if (slice !== undefined) shared.set(name, slice);
  return name;
}

/** An entry of a map from names to InferParameter. */
function readParameter(reader: FieldReader, into: Parameters): void {
  let key = '';
  let value: FieldReader | undefined;
  while (reader.more) {
    const [field, wireType] = reader.tag();
    if (field === 1) key = reader.text('parameters');
    else if (field === 2) value = reader.nested();
    else reader.skip(wireType, field);
  }
  if (value === undefined || !KNOWN_PARAMETERS.has(key)) return;
  while (value.more) {
    const [field, wireType] = value.tag();
    if (field === 1) into[key] = value.bool();
    else if (field === 2) into[key] = Number(value.int64());
    else if (field === 3) into[key] = value.text(key);
    else if (field === 4) into[key] = value.double();
    else if (field === 5) into[key] = Number(value.uint64());
    else value.skip(wireType, field);
  }
}

/** The parameters that change an answer; unknown ones are ignored and not kept. */
const KNOWN_PARAMETERS: ReadonlySet<string> = new Set([
  'timeout',
  'priority',
  'triton_enable_empty_final_response',
  'sequence_id',
  'sequence_start',
  'class_names',
  'classification',
  'shared_memory_region',
  'shared_memory_byte_size',
  'shared_memory_offset',
]);

function bounded<T>(items: T[], name: string): T[] {
  if (items.length < MAX_ITEMS) return items;
  throw invalidRequest(`The request has more than ${MAX_ITEMS} ${name}.`);
}

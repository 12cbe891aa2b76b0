/** Inference requests in every form: JSON, JSON before binary tensors, and gRPC messages. */
import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { SkeinError } from '@skein/api';
import { elementCount, values, type Tensor } from '@skein/onnx';
import { decodeGrpcRequest } from '../../../packages/server/src/gateway/oip/grpc/request.ts';
import { decodeInferRequest } from '../../../packages/server/src/gateway/oip/http/request.ts';
import { ModelInferRequestSchema } from '../../../packages/server/src/gateway/oip/grpc/proto/inference.gen.ts';
import { bytesInput } from '../engine/bytes.ts';
import { jsonInput } from '../engine/json.ts';
import { protobufInput } from '../engine/protobuf.ts';
import type { Target } from '../engine/target.ts';

const DATATYPES = [
  'BOOL',
  'UINT8',
  'INT8',
  'UINT64',
  'INT64',
  'FP16',
  'BF16',
  'FP32',
  'FP64',
  'BYTES',
];
const isCoded = (error: unknown) => error instanceof SkeinError;

const REQUESTS: readonly object[] = [
  { inputs: [{ name: 'x', datatype: 'FP32', shape: [2, 2], data: [1, 2.5, -3e-7, 4] }] },
  {
    inputs: [
      {
        name: 'x',
        datatype: 'FP64',
        shape: [2, 2],
        data: [
          [1, 0.1],
          [1e22, 1e-22],
        ],
      },
    ],
  },
  { inputs: [{ name: 'n', datatype: 'INT64', shape: [3], data: [1, -2, 9007199254740991] }] },
  { inputs: [{ name: 'b', datatype: 'BOOL', shape: [2], data: [true, false] }] },
  { inputs: [{ name: 's', datatype: 'BYTES', shape: [2, 1], data: [['a'], ['\u00e9\u{1f642}']] }] },
  {
    id: '7',
    parameters: { timeout: 5000, priority: 1, binary_data_output: true },
    inputs: [
      { name: 'a', datatype: 'UINT8', shape: [1, 0], data: [] },
      { name: 'b', datatype: 'INT8', shape: [], data: [3], parameters: { other: 1 } },
    ],
    outputs: [{ name: 'y', parameters: { binary_data: false } }],
  },
];

export function openJsonRequests(): Target {
  return {
    seeds: REQUESTS.map((request) => Buffer.from(JSON.stringify(request))),
    structure: jsonInput([
      ...DATATYPES,
      0.1,
      1e-46,
      3.4028236e38,
      16777217,
      'NaN',
      '-Infinity',
      '\ud800\udc00',
    ]),
    refuses: isCoded,
    run(input) {
      const { inputs } = decodeInferRequest(Buffer.from(input), undefined);
      const naive = JSON.parse(Buffer.from(input).toString()) as NaiveRequest;
      for (const { name, data } of naive.inputs) assertSame(name, inputs.get(name)!, data);
    },
  };
}

interface NaiveRequest {
  readonly inputs: readonly { readonly name: string; readonly data: unknown }[];
}

/** Compares the numbers with the result of `JSON.parse`, except integers beyond 2⁵³. */
function assertSame(name: string, tensor: Tensor, data: unknown): void {
  const flat = (data as unknown[]).flat(Infinity);
  if (flat.length !== elementCount(tensor.shape)) throw new Error(`${name}: ${flat.length} values`);
  if (tensor.type === 'string' || tensor.type === 'float16' || tensor.type === 'bfloat16') return;
  const read = values(tensor);
  for (const [index, value] of flat.entries()) {
    const wanted = Number(value);
    if (!Number.isSafeInteger(wanted) && !tensor.type.includes('float')) continue;
    const rounded = tensor.type === 'float32' ? Math.fround(wanted) : wanted;
    const found = Number(read[index]);
    if (!(found === rounded || (Number.isNaN(found) && Number.isNaN(rounded)))) {
      throw new Error(`${name}[${index}] is ${found}, JSON.parse reads ${rounded}`);
    }
  }
}

/** The length of the JSON as two bytes, the JSON, the tensors. */
export function openBinaryRequests(): Target {
  const json = (inputs: readonly object[]) => Buffer.from(JSON.stringify({ inputs }));
  const request = (header: Buffer, ...tensors: readonly Buffer[]) => {
    const length = Buffer.alloc(2);
    length.writeUInt16LE(header.length);
    return Buffer.concat([length, header, ...tensors]);
  };
  const input = (name: string, datatype: string, shape: readonly number[], size: number) => ({
    name,
    datatype,
    shape,
    parameters: { binary_data_size: size },
  });
  return {
    seeds: [
      request(json([input('x', 'FP32', [2], 8)]), Buffer.alloc(8, 1)),
      request(
        json([input('b', 'BOOL', [2], 2), input('s', 'BYTES', [2], 11)]),
        Buffer.from([0, 1, 1, 0, 0, 0, 65, 2, 0, 0, 0, 66, 67]),
      ),
      request(
        json([
          { name: 'x', datatype: 'FP64', shape: [1], data: [1.5] },
          input('n', 'INT64', [1], 8),
        ]),
        Buffer.alloc(8),
      ),
    ],
    structure: bytesInput([
      ...DATATYPES,
      '"binary_data_size":',
      '"shape":[',
      ',"data":[',
      '{',
      '}',
      '[',
      ']',
      '\\u0064ata',
    ]),
    refuses: isCoded,
    run(input) {
      const bytes = Buffer.from(input);
      if (bytes.length < 2) return;
      const length = Math.min(bytes.readUInt16LE(), bytes.length - 2);
      const { inputs } = decodeInferRequest(bytes.subarray(2), length);
      for (const tensor of inputs.values()) assertFilled(tensor);
    },
  };
}

function assertFilled(tensor: Tensor): void {
  const count = tensor.type === 'string' ? tensor.elements.length : values(tensor).length;
  if (count !== elementCount(tensor.shape))
    throw new Error(`${count} elements in [${tensor.shape}]`);
}

type Request = Exclude<MessageInitShape<typeof ModelInferRequestSchema>, { $typeName: string }>;

export const GRPC_REQUESTS: readonly Uint8Array[] = (
  [
    {
      modelName: 'echo',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [2n] }],
      rawInputContents: [new Uint8Array(8)],
    },
    {
      modelName: 'echo',
      inputs: [
        { name: 'x', datatype: 'FP32', shape: [1n, 3n], contents: { fp32Contents: [1, 2, 3] } },
      ],
    },
    {
      modelName: 'echo',
      modelVersion: '1',
      id: 'a',
      inputs: [
        {
          name: 'n',
          datatype: 'INT64',
          shape: [3n],
          contents: { int64Contents: [1n, -1n, 2n ** 62n] },
        },
      ],
    },
    {
      modelName: 'echo',
      inputs: [
        {
          name: 'u',
          datatype: 'UINT64',
          shape: [1n],
          contents: { uint64Contents: [2n ** 64n - 1n] },
        },
      ],
    },
    {
      modelName: 'echo',
      inputs: [
        {
          name: 's',
          datatype: 'BYTES',
          shape: [2n],
          contents: { bytesContents: [new Uint8Array(3), new Uint8Array(0)] },
        },
      ],
    },
    {
      modelName: 'echo',
      inputs: [
        { name: 'b', datatype: 'BOOL', shape: [2n], contents: { boolContents: [true, false] } },
      ],
    },
    {
      modelName: 'echo',
      inputs: [
        { name: 'i', datatype: 'INT8', shape: [2n], contents: { intContents: [-128, 127] } },
      ],
      outputs: [{ name: 'y' }],
    },
    {
      modelName: 'echo',
      parameters: {
        timeout: { parameterChoice: { case: 'int64Param', value: 5000n } },
        priority: { parameterChoice: { case: 'uint64Param', value: 1n } },
      },
      inputs: [
        {
          name: 'd',
          datatype: 'FP64',
          shape: [1n],
          contents: { fp64Contents: [0.5] },
          parameters: { binary_data_size: { parameterChoice: { case: 'int64Param', value: 8n } } },
        },
      ],
    },
  ] satisfies Request[]
).map((request) => toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, request)));

export function openGrpcRequests(): Target {
  return {
    seeds: GRPC_REQUESTS,
    structure: protobufInput(),
    refuses: isCoded,
    run(input) {
      const { inputs, model } = decodeGrpcRequest(input);
      for (const tensor of inputs.values()) assertFilled(tensor);
      // The generated code is the oracle when it encodes its result to the same bytes: a field that
      // reaches beyond its message confuses it.
      const oracle = generated(input);
      if (oracle === undefined || !isSameMessage(oracle, input)) return;
      if (oracle.modelName !== model) throw new Error(`model ${model}, not ${oracle.modelName}`);
      if (new Set(oracle.inputs.map(({ name }) => name)).size !== inputs.size) {
        throw new Error(`${inputs.size} inputs, not ${oracle.inputs.length}`);
      }
    },
  };
}

function generated(input: Uint8Array) {
  try {
    return fromBinary(ModelInferRequestSchema, input);
  } catch {
    return undefined;
  }
}

function isSameMessage(oracle: NonNullable<ReturnType<typeof generated>>, input: Uint8Array) {
  return Buffer.from(toBinary(ModelInferRequestSchema, oracle)).equals(input);
}

/** The properties of an ONNX file that the registry checks and stores. */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import {
  checkModel,
  externalTensors,
  OnnxError,
  opsetOf,
  readModel,
  readPacked,
  signatureOf,
  withTensorOutputs,
  writeModel,
  type Model,
  type Signature,
} from '@skein/onnx';
import { LARGEST_GRAPH, messageBytesOf, PREFIX_BYTES } from '@skein/onnx/packed-form';
import { labelsOf } from './labels.ts';

export interface Inspection {
  readonly signature: Signature;
  /** The file's own metadata, for the version. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The bytes to serve in place of the file, whose outputs are not all tensors. */
  readonly rewritten?: Uint8Array;
}

/** @throws OnnxError if the file is not a model that can be served. */
export function inspectModel(path: string, sizeBytes: number): Inspection {
  try {
    const packed = packedModelOf(path, sizeBytes);
    if (packed !== undefined) return inspectPacked(packed);
    if (sizeBytes <= LARGEST_MESSAGE) return inspectWhole(readFileSync(path));
  } catch (error) {
    // A stack overflow: graphs may be nested in graphs, and groups in groups.
    if (!(error instanceof RangeError)) throw error;
    throw new OnnxError('invalid', `The model is nested too deeply: ${error.message}.`);
  }
  throw new OnnxError(
    'invalid',
    `The file has ${sizeBytes} bytes; an ONNX model has at most ${LARGEST_MESSAGE}, and larger ones keep their weights in other files.`,
  );
}

/** The limit of protocol buffers. */
const LARGEST_MESSAGE = 2 ** 31 - 1;

/** The graph of a model above 2 GiB; undefined for a file of another form. */
function packedModelOf(path: string, sizeBytes: number): Model | undefined {
  const file = openSync(path, 'r');
  try {
    const prefix = new Uint8Array(PREFIX_BYTES);
    readSync(file, prefix);
    const length = messageBytesOf(prefix);
    if (length === undefined) return undefined;
    // A length that the file does not have is for `readPacked` to refuse.
    const message = new Uint8Array(Math.min(length, sizeBytes, LARGEST_GRAPH + 1));
    readSync(file, message, 0, message.byteLength, PREFIX_BYTES);
    return readPacked(message, sizeBytes);
  } finally {
    closeSync(file);
  }
}

function inspectPacked(model: Model): Inspection {
  const found = inspect(model);
  if (found.rewritten === undefined) return found;
  throw new OnnxError(
    'unsupported',
    'Outputs that are not tensors are not served of a model above 2 GiB. Export it without ZipMap.',
  );
}

function inspectWhole(bytes: Uint8Array): Inspection {
  const model = readModel(bytes);
  const [external] = externalTensors(model);
  if (external !== undefined) {
    // A version is one artifact with one digest; the CLI joins the files.
    throw new OnnxError(
      'external-data',
      `The model keeps ${external.place} in the file '${external.location}', which was not sent with it.`,
    );
  }
  return inspect(model);
}

function inspect(model: Model): Inspection {
  checkModel(model);
  const { model: served, labels } = withTensorOutputs(model);
  const producer = `${model.producerName} ${model.producerVersion}`.trim();
  const opset = opsetOf(model);
  return {
    signature: signatureOf(served),
    metadata: {
      ...(producer === '' ? {} : { producer: producer.slice(0, 200) }),
      ...(opset === undefined ? {} : { opset: String(opset) }),
      irVersion: String(model.irVersion),
      ...labelsOf(model, [...labels.values()]),
    },
    ...(served === model ? {} : { rewritten: writeModel(served) }),
  };
}

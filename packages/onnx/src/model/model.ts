/**
 * An ONNX model as a value: the messages of onnx.proto, read from and written to bytes.
 *
 * Files that were written in field order, as every common exporter does, come back byte for byte;
 * unknown fields are kept. Reading does not copy: weights are views of the bytes that were given,
 * which must not change while the model is in use.
 *
 * Reading proves that the file is a complete model of a supported version. `checkModel` checks its
 * graph.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { GraphProtoSchema, ModelProtoSchema, type GraphProto, type ModelProto } from 'onnx-buf';
import { invalidModel, unsupportedModel } from '../onnx-error.ts';
import { NEWEST_OPSET } from '../operators.gen.ts';

export type Model = ModelProto;

/** The newest IR version that ONNX Runtime 1.30 loads. */
export const NEWEST_IR_VERSION = 13;

/** @throws OnnxError `invalid` when the bytes are not a whole model, `unsupported` when its IR version or operator set is too new. */
export function readModel(bytes: Uint8Array): Model {
  if ((bytes as Uint8Array | undefined)?.[Symbol.toStringTag] !== 'Uint8Array') {
    throw invalidModel('A model is read from the bytes of its file, as a Uint8Array.');
  }
  if (bytes.byteLength === 0) throw invalidModel('The file is empty.');
  const foreign = recognise(bytes);
  if (foreign !== undefined) {
    throw invalidModel(`The file is ${foreign}, not an ONNX model.`);
  }
  const flaw = flawOfOutline(bytes);
  if (flaw !== undefined) throw invalidModel(flaw);
  const model = parse(bytes);
  if (model.graph === undefined) {
    throw invalidModel('The file is not an ONNX model: it holds no graph.');
  }
  const ir = Number(model.irVersion);
  if (ir < 1) {
    throw invalidModel('The file is not an ONNX model: it states no IR version.');
  }
  if (ir > NEWEST_IR_VERSION) {
    throw unsupportedModel(
      `The model has IR version ${ir}; the newest supported is ${NEWEST_IR_VERSION}. Export it with an IR version up to that.`,
    );
  }
  // Before IR version 3 a model imports operator set 1 implicitly.
  if (model.opsetImport.length === 0 && ir >= 3) {
    throw invalidModel(
      'The model imports no operator set: it is incomplete, or cut off after its graph.',
    );
  }
  const opset = opsetOf(model);
  if (opset !== undefined && opset > NEWEST_OPSET) {
    throw unsupportedModel(
      `The model uses opset ${opset} of ai.onnx; the newest supported is ${NEWEST_OPSET}. Export it with an opset up to that.`,
    );
  }
  return model;
}

/** The bytes of the model; exactly those it was read from when nothing was changed. */
export function writeModel(model: Model): Uint8Array {
  return toBinary(ModelProtoSchema, model);
}

/** The operator set version of a domain that the model imports; of ai.onnx when none is named. */
export function opsetOf(model: Model, domain = ''): number | undefined {
  const wanted = domainName(domain);
  const found = model.opsetImport.find((each) => domainName(each.domain) === wanted);
  return found === undefined ? undefined : Number(found.version);
}

/** The default domain has two spellings: empty, and `ai.onnx`. */
export function domainName(domain: string): string {
  return domain === '' ? 'ai.onnx' : domain;
}

function parse(bytes: Uint8Array): Model {
  try {
    return fromBinary(ModelProtoSchema, bytes);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalidModel(`The file is corrupt, or not an ONNX model: ${reason}.`, {
      cause: error,
    });
  }
}

/** Other formats that people deploy by mistake, by their first bytes. */
const FOREIGN: readonly (readonly [prefix: string, name: string])[] = [
  ['version https://git-lfs', 'a Git LFS pointer (fetch the real file with `git lfs pull`)'],
  ['PK\x03\x04', 'a ZIP archive, such as a PyTorch checkpoint'],
  ['\x80\x02', 'a Python pickle'],
  ['\x89HDF', 'an HDF5 file, such as a Keras model'],
  ['GGUF', 'a GGUF file'],
  ['\x1f\x8b', 'a gzip archive (unpack it first)'],
  ['ORTM', 'in ONNX Runtime’s own ORT format'],
  ['SKEINXTD', 'a model above 2 GiB as Skein stores it, which can only be served'],
  ['<', 'an HTML or XML page'],
  ['{', 'a JSON text'],
];
/** Flatbuffers and safetensors have a number before their magic bytes. */
const FOREIGN_LATER: readonly (readonly [offset: number, prefix: string, name: string])[] = [
  [4, 'ORTM', 'in ONNX Runtime’s own ORT format'],
  [4, 'TFL3', 'a TensorFlow Lite model'],
  [8, '{"', 'a safetensors file'],
];

function recognise(bytes: Uint8Array): string | undefined {
  const head = String.fromCharCode(...bytes.subarray(0, 32));
  return (
    FOREIGN.find(([prefix]) => head.startsWith(prefix))?.[1] ??
    FOREIGN_LATER.find(([offset, prefix]) => head.startsWith(prefix, offset))?.[2]
  );
}

/**
 * Visits the outermost fields only: a truncated download is found at once, and distinguished from a
 * file in another format.
 */
function flawOfOutline(bytes: Uint8Array): string | undefined {
  const alien = 'The file is not an ONNX model.';
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) return undefined;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return NaN;
  };
  while (at < bytes.byteLength) {
    const tag = varint();
    if (tag === undefined) return truncated(bytes, 1);
    const field = Math.floor(tag / 8);
    // Any number up to 2^29 may be a future field; real ones are small.
    if (!(field >= 1 && field < 2 ** 29)) return alien;
    const wire = tag % 8;
    let length: number | undefined = 0;
    if (wire === 0 || wire === 2) length = varint();
    if (length === undefined) return truncated(bytes, 1);
    if (wire === 0) continue;
    if (wire === 1) length = 8;
    else if (wire === 5) length = 4;
    else if (wire !== 2 || Number.isNaN(length)) return alien;
    at += length;
    if (at > bytes.byteLength) {
      return at > 2 ** 31 ? alien : truncated(bytes, at - bytes.byteLength);
    }
  }
  return undefined;
}

function truncated(bytes: Uint8Array, missing: number): string {
  return `The file is truncated after ${bytes.byteLength} bytes: at least ${missing} more belong to it.`;
}

/** The same model with parts of its graph replaced. Weights are shared, not copied. */
export function withGraph(model: Model, parts: Partial<GraphProto>): Model {
  return Object.assign(create(ModelProtoSchema), model, { graph: graphWith(model.graph!, parts) });
}

/** The same graph with some of its parts replaced. */
export function graphWith(graph: GraphProto, parts: Partial<GraphProto>): GraphProto {
  return Object.assign(create(GraphProtoSchema), graph, parts);
}

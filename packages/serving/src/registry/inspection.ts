/** The properties of an ONNX file that the registry checks and stores. */
import {
  checkModel,
  externalTensors,
  OnnxError,
  opsetOf,
  readModel,
  signatureOf,
  withTensorOutputs,
  writeModel,
  type Signature,
} from '@skein/onnx';
import { labelsOf } from './labels.ts';

export interface Inspection {
  readonly signature: Signature;
  /** The file's own metadata, for the version. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The bytes to serve in place of the file, whose outputs are not all tensors. */
  readonly rewritten?: Uint8Array;
}

/** @throws OnnxError if the bytes are not a model that can be served. */
export function inspectModel(bytes: Uint8Array): Inspection {
  try {
    return inspect(bytes);
  } catch (error) {
    // A stack overflow: graphs may be nested in graphs, and groups in groups.
    if (!(error instanceof RangeError)) throw error;
    throw new OnnxError('invalid', `The model is nested too deeply: ${error.message}.`);
  }
}

function inspect(bytes: Uint8Array): Inspection {
  const model = readModel(bytes);
  const [external] = externalTensors(model);
  if (external !== undefined) {
    // A version is one artifact with one digest; the CLI joins the files.
    throw new OnnxError(
      'external-data',
      `The model keeps ${external.place} in the file '${external.location}', which was not sent with it.`,
    );
  }
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

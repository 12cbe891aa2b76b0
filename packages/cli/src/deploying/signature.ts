/**
 * The inputs and outputs of a deployment, read over the inference protocol itself, so that a key
 * with the scope `infer` is enough.
 */
import { elementTypeOf } from '@skein/api';
import { connectionError } from '@skein/api/client';
import { ERRORS, SkeinError, type ErrorBody } from '@skein/api/errors';
import type { Signature, TensorSpec } from '@skein/onnx';
import type { Connection } from '../connection/connection.ts';

interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

/** @throws SkeinError MODEL_UNKNOWN, VERSION_UNKNOWN, KEY_MISSING, NODE_UNREACHABLE, … */
export async function fetchSignature(
  { url, key, fetch }: Pick<Connection, 'url' | 'key' | 'fetch'>,
  name: string,
  version: string | undefined,
  signal: AbortSignal,
): Promise<Signature> {
  const base = `${url.replace(/\/+$/, '')}/v2/models/${encodeURIComponent(name)}`;
  const address = version === undefined ? base : `${base}/versions/${encodeURIComponent(version)}`;
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const response = await fetch(address, { headers, signal }).catch((error: unknown) => {
    if (signal.aborted) throw error;
    throw connectionError(url, error);
  });
  const body: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw errorOf(body, url, response.status);
  const { inputs = [], outputs = [] } = body as {
    inputs?: readonly TensorMetadata[];
    outputs?: readonly TensorMetadata[];
  };
  return { inputs: inputs.map(specOf), outputs: outputs.map(specOf) };
}

function specOf({ name, datatype, shape }: TensorMetadata): TensorSpec {
  const type = elementTypeOf(datatype);
  if (type === undefined) {
    throw new SkeinError('INTERNAL', `The node names the unknown datatype "${datatype}".`);
  }
  return { name, type, shape: shape.map((size) => (size < 0 ? null : size)) };
}

function errorOf(body: unknown, url: string, status: number): SkeinError {
  const { code, error } = (body ?? {}) as Partial<ErrorBody>;
  if (code !== undefined && error !== undefined && Object.hasOwn(ERRORS, code)) {
    return new SkeinError(code, error);
  }
  return new SkeinError(
    'NODE_UNREACHABLE',
    `${url} answered ${status} without a reason; is it a Skein node?`,
  );
}

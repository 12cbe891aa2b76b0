/**
 * Parses the byte strings of a JSON array: text, flat or nested like the shape, encoded as UTF-8.
 * `null`, a missing value, is an empty string.
 */
import { SkeinError } from '@skein/api';
import { boundJson, JSON_BOUNDS } from '@skein/api/foreign-json';
import { elementCount } from '@skein/onnx';
import { textOf, type CarvedArray } from './json-carve.ts';
import { brief, invalidData } from '../../brief.ts';
import { checkElementCount, MAX_STRINGS } from '../tensors/tensor-bytes.ts';

const utf8 = new TextEncoder();
/** Strings and the arrays around them; the face has bounded the bytes of the body. */
const BOUNDS = { ...JSON_BOUNDS.request, bytes: Infinity, values: 2 * MAX_STRINGS };

/** @throws SkeinError BODY_NOT_JSON, INPUT_DATA. */
export function readStrings(
  bytes: Buffer,
  { start, end }: CarvedArray,
  shape: readonly number[],
  input: string,
): Uint8Array[] {
  const count = checkElementCount(elementCount(shape), input);
  boundJson(bytes, start, end, BOUNDS);
  const text = textOf(bytes, start, end);
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unreadable';
    throw new SkeinError(
      'BODY_NOT_JSON',
      `The data of input "${input}", from byte ${start} of the body on, are not valid JSON: ${reason}.`,
    );
  }
  const elements: Uint8Array[] = [];
  const nested = Array.isArray(data) && Array.isArray(data[0]);
  if (nested) collect(data, shape, 0, elements, input);
  else collect(data, [count], 0, elements, input);
  return elements;
}

function collect(
  data: unknown,
  shape: readonly number[],
  axis: number,
  elements: Uint8Array[],
  input: string,
): void {
  if (axis === shape.length) {
    if (data === null) {
      elements.push(new Uint8Array(0));
      return;
    }
    if (typeof data !== 'string') {
      throw invalidData(`Input "${input}" holds ${brief(data)}, where BYTES takes a string.`);
    }
    if (!data.isWellFormed())
      throw invalidData(`Input "${input}" holds half of a surrogate pair, which has no UTF-8.`);
    elements.push(utf8.encode(data));
    return;
  }
  if (!Array.isArray(data) || data.length !== shape[axis]) {
    const found = Array.isArray(data) ? `${data.length} elements` : brief(data);
    throw invalidData(
      `The data of input "${input}" have ${found} where the shape takes ${shape[axis]}; nest them by the shape, or send them flat.`,
    );
  }
  for (const item of data) collect(item, shape, axis + 1, elements, input);
}

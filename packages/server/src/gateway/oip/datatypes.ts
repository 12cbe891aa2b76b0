/** Datatype names as a client sends them. */
import { elementTypeOf, SkeinError } from '@skein/api';
import type { ElementType } from '@skein/onnx';

/** @throws SkeinError INPUT_DATATYPE for a name that the protocol does not have. */
export function elementTypeFor(datatype: string, input: string): ElementType {
  const type = elementTypeOf(datatype);
  if (type !== undefined) return type;
  throw new SkeinError(
    'INPUT_DATATYPE',
    `Input "${input}" has the datatype "${datatype}", which the protocol does not have.`,
  );
}

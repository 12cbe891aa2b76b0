/** Translates an error of ONNX Runtime for the caller. */
import { RuntimeFailure } from '../contract.ts';
import { explain } from '../reason.ts';

const MIB = 2 ** 20;
/** The messages of ONNX Runtime, the C++ library and V8 when memory is short. */
const NO_MEMORY = /Failed to allocate memory|bad_alloc|bad allocation|allocation failed/i;

/** @param maxMemoryBytes that the model may use; absent: no bound. */
export function failureOf(
  kind: 'load' | 'run',
  reason: string,
  maxMemoryBytes?: number,
): RuntimeFailure {
  if (!NO_MEMORY.test(reason)) return new RuntimeFailure(kind, explain(reason));
  const needs =
    maxMemoryBytes === undefined
      ? ''
      : `The model needs more than the ${Math.floor(maxMemoryBytes / MIB)} MiB that it may use: `;
  return new RuntimeFailure('memory', needs + explain(reason));
}

/** Tensors as text. */
import type { OutputTensor } from '@skein/api/client';
import { bfloat16ToNumber, float16ToNumber } from '@skein/onnx';
import type { Style } from './style.ts';

/** Further rows and columns are omitted, and counted. */
const SHOWN_ROWS = 8;
const SHOWN_COLUMNS = 10;

/** A heading with type and shape, then the values by rows of the last dimension. */
export function renderTensor(name: string, tensor: OutputTensor, style: Style): string {
  const heading = `${style.bold(name)} ${style.dim(`${tensor.type}[${tensor.shape.join(', ')}]`)}`;
  const columns = tensor.shape.at(-1) ?? 1;
  const count = tensor.data.length;
  if (count === 0) return `${heading}  ${style.dim('(empty)')}`;
  if (tensor.shape.length === 0 || count === 1) return `${heading}  ${elementText(tensor, 0)}`;
  const rows = count / Math.max(1, columns);
  const lines = [];
  for (let row = 0; row < Math.min(rows, SHOWN_ROWS); row++) {
    const cells = [];
    for (let column = 0; column < Math.min(columns, SHOWN_COLUMNS); column++) {
      cells.push(elementText(tensor, row * columns + column));
    }
    const more = columns > SHOWN_COLUMNS ? style.dim(`  … ${columns - SHOWN_COLUMNS} more`) : '';
    const separator = tensor.type === 'string' ? '\n  ' : '  ';
    lines.push(`  ${cells.join(separator)}${more}`);
  }
  if (rows > SHOWN_ROWS) lines.push(style.dim(`  … ${rows - SHOWN_ROWS} more rows`));
  return `${heading}\n${lines.join('\n')}`;
}

/** A tensor for `--json`: nested lists; bytes that are not text as base64. */
export function tensorJson(tensor: OutputTensor): {
  readonly type: string;
  readonly shape: readonly number[];
  readonly data: unknown;
} {
  const flat = Array.from({ length: tensor.data.length }, (_, index) => element(tensor, index));
  return { type: tensor.type, shape: tensor.shape, data: nest(flat, tensor.shape) };
}

function nest(flat: readonly unknown[], shape: readonly number[]): unknown {
  const [size, ...inner] = shape;
  if (size === undefined) return flat[0];
  if (inner.length === 0) return flat;
  const stride = size === 0 ? 0 : flat.length / size;
  return Array.from({ length: size }, (_, at) =>
    nest(flat.slice(at * stride, (at + 1) * stride), inner),
  );
}

/** A number, a boolean or a text; 64-bit integers beyond 2^53, NaN and infinities as text. */
function element(tensor: OutputTensor, index: number): number | boolean | string {
  const raw = tensor.data[index];
  switch (tensor.type) {
    case 'bool':
      return raw === 1;
    case 'float16':
      return safe(float16ToNumber(Number(raw)));
    case 'bfloat16':
      return safe(bfloat16ToNumber(Number(raw)));
    case 'string':
      return bytesText(raw as Uint8Array);
    case 'float32':
      return safe(Number(Number(raw).toPrecision(9)));
    default:
      if (typeof raw === 'bigint') {
        const number = Number(raw);
        return Number.isSafeInteger(number) ? number : raw.toString();
      }
      return safe(Number(raw));
  }
}

function safe(number: number): number | string {
  return Number.isFinite(number) ? number : String(number);
}

function bytesText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return `base64:${Buffer.from(bytes).toString('base64')}`;
  }
}

function elementText(tensor: OutputTensor, index: number): string {
  const value = element(tensor, index);
  if (typeof value !== 'number') return String(value);
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return size >= 1e-4 && size < 1e6 ? String(Number(value.toPrecision(6))) : value.toExponential(4);
}

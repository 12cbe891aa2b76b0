/** The form in which each layer of a model is stored and computed. */
import type { Layer } from './layers.ts';

/**
 * | form      | weights                              | computed in                              |
 * | --------- | ------------------------------------ | ---------------------------------------- |
 * | `float`   | float32                              | float32                                  |
 * | `static`  | int8 by channel                      | integers; ranges were measured before    |
 * | `dynamic` | int8 by channel                      | integers; the range of each run          |
 * | `stored8` | int8 by channel                      | float32; a runtime unpacks while loading |
 * | `stored4` | int4 by block                        | float32; a runtime unpacks while loading |
 * | `block8`  | int8 by block                        | a kernel for blocks                      |
 * | `block4`  | int4 by block                        | a kernel for blocks                      |
 */
export const FORMS = [
  'float',
  'static',
  'dynamic',
  'stored8',
  'stored4',
  'block8',
  'block4',
] as const;
export type Form = (typeof FORMS)[number];

/** By the name of the layer; others stay as they are. */
export type Plan = ReadonlyMap<string, Form>;

/** Bits of a weight in a form. */
export function bitsOf(form: Form): number {
  if (form === 'float') return 32;
  return form.endsWith('4') ? 4 : 8;
}

/** Whether a layer can have a form. */
export function permits({ computes, operator }: Layer, form: Form): boolean {
  switch (form) {
    case 'static':
      return computes;
    // ONNX Runtime convolves integers more slowly than floats, and blocks have kernels
    // for products of matrices alone.
    case 'dynamic':
    case 'block8':
    case 'block4':
      return computes && operator !== 'Conv';
    default:
      return true;
  }
}

/** The same form for every layer that can have it; `otherwise` for the others. */
export function planAll(layers: readonly Layer[], form: Form, otherwise: Form = 'float'): Plan {
  const entries = layers.map((layer) => {
    const possible = [form, otherwise].find((each) => permits(layer, each)) ?? 'float';
    return [layer.name, possible] as const;
  });
  return new Map(entries);
}

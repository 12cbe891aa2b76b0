/** Imports a composition's module and validates its export: the author may have used plain JavaScript. */
import { ELEMENT_TYPES, type TensorSpec } from '@skein/onnx/tensor';
import type { Composition } from './define-composition.ts';

const TYPES: ReadonlySet<unknown> = new Set(ELEMENT_TYPES);

/** @throws Error with the defect, or the error of the module itself. */
export async function loadComposition(moduleUrl: string): Promise<Composition> {
  const module = (await import(moduleUrl)) as { composition?: unknown };
  const wrong = flawOf(module.composition);
  if (wrong !== undefined) throw new Error(wrong);
  return module.composition as Composition;
}

function flawOf(candidate: unknown): string | undefined {
  if (typeof candidate !== 'object' || candidate === null) {
    return 'the module does not export `composition`, made with defineComposition(…)';
  }
  const { inputs, outputs, calls, warm, run } = candidate as Partial<
    Record<keyof Composition, unknown>
  >;
  if (typeof run !== 'function') return '`run` is not a function';
  if (warm !== undefined && typeof warm !== 'function') return '`warm` is not a function';
  if (!Array.isArray(calls) || !calls.every((call) => typeof call === 'string')) {
    return '`calls` is not a list of deployment names';
  }
  return specsFlaw('inputs', inputs) ?? specsFlaw('outputs', outputs);
}

function specsFlaw(what: 'inputs' | 'outputs', specs: unknown): string | undefined {
  if (!Array.isArray(specs) || specs.length === 0) return `\`${what}\` is not a list of tensors`;
  const names = new Set<string>();
  for (const [i, spec] of (specs as Partial<TensorSpec>[]).entries()) {
    const where = `\`${what}[${i}]\``;
    if (typeof spec?.name !== 'string' || spec.name === '') return `${where} has no name`;
    if (names.has(spec.name)) return `${where} repeats the name "${spec.name}"`;
    names.add(spec.name);
    if (!TYPES.has(spec.type)) {
      return `${where} has the unknown type ${JSON.stringify(spec.type)}`;
    }
    if (!Array.isArray(spec.shape) || !spec.shape.every(isDimension)) {
      return `${where} has no shape of sizes, names or null`;
    }
  }
  return undefined;
}

function isDimension(size: unknown): boolean {
  if (size === null || typeof size === 'string') return true;
  return typeof size === 'number' && Number.isSafeInteger(size) && size >= 0;
}

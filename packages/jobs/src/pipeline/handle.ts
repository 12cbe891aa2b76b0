/**
 * A value that a pipeline will have: what a step returns, or a part of it. While a pipeline is
 * defined nothing runs, so that its whole graph is known before its first job starts; a handle
 * stands for the value until then.
 *
 * `step.field` is a handle of that field. Handles may be put anywhere into what a step is given.
 */

/** Where the value comes from: the run's input, a step, or the element of a fan-out. */
export type Source =
  | { readonly kind: 'input' }
  | { readonly kind: 'step'; readonly step: string }
  | { readonly kind: 'element'; readonly of: string };

const MARK = Symbol('skein.handle');

interface HandleParts {
  readonly source: Source;
  /** Property names from the source's value to this one. */
  readonly path: readonly string[];
}

/** Stands for a `T`; its fields stand for the fields of the `T`. */
export type Handle<T> = {
  readonly [MARK]: HandleParts & { readonly type?: T };
} & (T extends readonly unknown[]
  ? unknown
  : T extends object
    ? { readonly [K in keyof T]-?: Handle<T[K]> }
    : unknown);

/** A `T`; any part of it may be a handle. */
export type Given<T> =
  | T
  | Handle<T>
  | (T extends readonly (infer E)[]
      ? readonly Given<E>[]
      : T extends object
        ? { readonly [K in keyof T]: Given<T[K]> }
        : never);

export function handle<T>(source: Source, path: readonly string[] = []): Handle<T> {
  const parts: HandleParts = { source, path };
  return new Proxy(Object.freeze({}), {
    get(_, key) {
      if (key === MARK) return parts;
      // A handle is neither a promise nor JSON: `then` and `toJSON` would make it look like one.
      if (typeof key === 'symbol' || key === 'then' || key === 'toJSON') return undefined;
      return handle(source, [...path, key]);
    },
    has: (_, key) => key === MARK,
  }) as Handle<T>;
}

export function isHandle(value: unknown): value is Handle<unknown> {
  return typeof value === 'object' && value !== null && MARK in value;
}

export function sourceOf(value: Handle<unknown>): Source {
  return value[MARK].source;
}

/** Every source that a value depends on. */
export function sourcesIn(given: unknown): Source[] {
  if (isHandle(given)) return [sourceOf(given)];
  if (typeof given !== 'object' || given === null) return [];
  return Object.values(given).flatMap(sourcesIn);
}

/**
 * Replaces handles by their values.
 * @throws Error naming the field that the value does not have.
 */
export function resolve<T>(given: Given<T>, valueOf: (source: Source) => unknown): T {
  if (isHandle(given)) {
    const { source, path } = given[MARK];
    return path.reduce<unknown>((value, key) => fieldOf(value, key, source), valueOf(source)) as T;
  }
  if (Array.isArray(given)) return given.map((each) => resolve(each, valueOf)) as T;
  if (typeof given !== 'object' || given === null) return given;
  return Object.fromEntries(
    Object.entries(given).map(([key, each]) => [key, resolve(each, valueOf)]),
  ) as T;
}

function fieldOf(value: unknown, key: string, source: Source): unknown {
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, key)) {
    return (value as Record<string, unknown>)[key];
  }
  throw new Error(`${describe(source)} has no field "${key}".`);
}

function describe(source: Source): string {
  if (source.kind === 'input') return 'The input of the pipeline';
  return source.kind === 'step'
    ? `What step "${source.step}" returned`
    : `An element of the fan-out of step "${source.of}"`;
}

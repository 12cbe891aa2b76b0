/**
 * Whether the alternatives of `oneOf` exclude each other. A grammar takes a text that any of them
 * allows, and cannot keep one that two allow from being made: such a text would break the schema.
 *
 * Alternatives overlap unless this file can show that they do not, so some that exclude each other
 * are refused, such as two patterns. Kinds of objects differ by their `const`, their required names or
 * the types of these names, which is how such schemas are written.
 */
type Schema = Readonly<Record<string, unknown>>;

/** Bounds the pairs of a request's schemas that are compared, in one `oneOf`. */
const MOST_PAIRS = 100_000;
/** Deepest nesting of references, properties and alternatives. */
const DEEPEST = 16;

/**
 * @param referred the schema that a `$ref` names.
 * @returns the places of two alternatives that one text may fit; undefined: there are none.
 */
export function overlapping(
  alternatives: readonly unknown[],
  referred: (pointer: string) => unknown,
): readonly [number, number] | undefined {
  let left = MOST_PAIRS;

  /** Whether each text that is made for `made` breaks `asked`. */
  function breaks(made: unknown, asked: unknown, depth = 0): boolean {
    left -= 1;
    if (left < 0 || depth > DEEPEST || !isObject(made) || !isObject(asked)) return false;
    const next = (one: unknown, other: unknown): boolean => breaks(one, other, depth + 1);
    if (typeof made['$ref'] === 'string') return next(referred(made['$ref']), asked);
    if (typeof asked['$ref'] === 'string') return next(made, referred(asked['$ref']));
    const options = optionsOf(made);
    if (options !== undefined) return options.every((each) => next(each, asked));
    const types = typesOf(made, true);
    if (excludes(types, typesOf(asked, false))) return true;
    const others = optionsOf(asked);
    if (others !== undefined) return others.every((each) => next(made, each));
    const values = valuesOf(made);
    const wanted = valuesOf(asked);
    if (values !== undefined) return values.every((value) => isRefused(value, asked, wanted));
    // A produced value satisfies its own schema, so it equals no value that this schema refuses.
    if (wanted !== undefined) return wanted.every((value) => isRefused(value, made, undefined));
    if (types?.length !== 1) return false;
    switch (types[0]) {
      case 'object':
        return objectBreaks(made, asked, next);
      case 'array':
        return (
          apart(made, asked, 'minItems', 'maxItems') ||
          (Number(made['minItems']) >= 1 && next(made['items'], asked['items']))
        );
      case 'string':
        return apart(made, asked, 'minLength', 'maxLength');
      case 'integer':
      case 'number':
        return numbersApart(made, asked);
      default:
        return false;
    }
  }

  for (const [i, one] of alternatives.entries()) {
    for (const [j, other] of alternatives.entries()) {
      if (i !== j && !breaks(one, other)) return i < j ? [i, j] : [j, i];
    }
  }
  return undefined;
}

/** An object is made with the names of its schema alone, and always with those that it requires. */
function objectBreaks(
  made: Schema,
  asked: Schema,
  breaks: (made: unknown, asked: unknown) => boolean,
): boolean {
  const [own, theirs] = [propertiesOf(made), propertiesOf(asked)];
  const required = listOf(made['required']);
  const isMap = Object.keys(own).length === 0 && required.length === 0;
  const lacks = (name: unknown): boolean =>
    !Object.hasOwn(own, String(name)) && !required.includes(name);
  if (!isMap && listOf(asked['required']).some(lacks)) return true;
  const more = asked['additionalProperties'];
  return required.some((each) => {
    const name = String(each);
    const value = Object.hasOwn(own, name) ? own[name] : made['additionalProperties'];
    if (Object.hasOwn(theirs, name)) return breaks(value, theirs[name]);
    return more === false || breaks(value, more);
  });
}

function isRefused(value: unknown, asked: Schema, wanted: readonly unknown[] | undefined): boolean {
  if (wanted !== undefined) {
    const text = JSON.stringify(value);
    // The same object or list has several texts.
    return (
      !wanted.some((each) => JSON.stringify(each) === text) &&
      (typeof value !== 'object' || value === null)
    );
  }
  if (excludes([typeOf(value)], typesOf(asked, false))) return true;
  if (typeof value === 'number') return numbersApart({ minimum: value, maximum: value }, asked);
  if (typeof value !== 'string') return false;
  const { length } = Array.from(value);
  return apart({ minLength: length, maxLength: length }, asked, 'minLength', 'maxLength');
}

function optionsOf(schema: Schema): readonly unknown[] | undefined {
  const options = schema['anyOf'] ?? schema['oneOf'];
  return Array.isArray(options) ? (options as unknown[]) : undefined;
}

function valuesOf(schema: Schema): readonly unknown[] | undefined {
  if ('const' in schema) return [schema['const']];
  const { enum: values } = schema;
  return Array.isArray(values) ? (values as unknown[]) : undefined;
}

/** @param isMade whether keywords of objects and lists make only those, where no type is given. */
function typesOf(schema: Schema, isMade: boolean): readonly unknown[] | undefined {
  const values = valuesOf(schema);
  if (values !== undefined) return values.map(typeOf);
  if (schema['type'] !== undefined) return listOf(schema['type']);
  if (!isMade) return undefined;
  if (hasOne(schema, ['properties', 'required', 'additionalProperties'])) return ['object'];
  if (hasOne(schema, ['items', 'minItems', 'maxItems'])) return ['array'];
  return hasOne(schema, ['minLength', 'maxLength']) ? ['string'] : undefined;
}

function excludes(
  made: readonly unknown[] | undefined,
  asked: readonly unknown[] | undefined,
): boolean {
  if (made === undefined || asked === undefined) return false;
  const kind = (type: unknown): unknown => (type === 'integer' ? 'number' : type);
  return !made.some((type) => asked.some((other) => kind(other) === kind(type)));
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

/** Whether no count fits both bounds. */
function apart(made: Schema, asked: Schema, least: string, most: string): boolean {
  const number = (value: unknown, otherwise: number): number =>
    typeof value === 'number' ? value : otherwise;
  return (
    number(made[least], 0) > number(asked[most], Infinity) ||
    number(made[most], Infinity) < number(asked[least], 0)
  );
}

function numbersApart(made: Schema, asked: Schema): boolean {
  const below = (one: Schema, other: Schema): boolean => {
    const ends = [one['maximum'], one['exclusiveMaximum']];
    const begins = [other['minimum'], other['exclusiveMinimum']];
    return ends.some((end, i) =>
      begins.some((begin, j) => {
        if (typeof end !== 'number' || typeof begin !== 'number') return false;
        return end < begin || (end === begin && i + j > 0);
      }),
    );
  };
  return below(made, asked) || below(asked, made);
}

const hasOne = (schema: Schema, keys: readonly string[]): boolean =>
  keys.some((key) => key in schema);
const propertiesOf = ({ properties }: Schema): Schema => (isObject(properties) ? properties : {});
const listOf = (value: unknown): readonly unknown[] =>
  value === undefined ? [] : Array.isArray(value) ? (value as unknown[]) : [value];
const isObject = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

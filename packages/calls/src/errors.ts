/**
 * Errors as plain data: a message between threads or processes keeps no class. An error of a class
 * that the receiver names is one of that class again. Every other error is a fault: an `Error` with
 * its name, message and stack, for a log and not for a client.
 */

export interface WireError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly cause: WireError | undefined;
  /** The fields of the error itself, such as the code of a coded error. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A class whose instances differ only in their fields. */
export interface ErrorClass {
  readonly name: string;
  readonly prototype: Error;
  /** Whether an instance may have these fields; absent: always. */
  accepts?(fields: Readonly<Record<string, unknown>>): boolean;
}

/** Most errors of a chain of causes; a chain may be a circle. */
const MAX_CAUSES = 8;
const STANDARD: ReadonlySet<string> = new Set(['message', 'stack', 'cause']);

export function toWire(thrown: unknown, depth = 0): WireError {
  if (!(thrown instanceof Error)) {
    return {
      name: 'Error',
      message: textOf(thrown),
      stack: undefined,
      cause: undefined,
      fields: {},
    };
  }
  const { name, message, stack, cause } = thrown;
  const fields: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(thrown)) {
    if (!STANDARD.has(field) && isPlain(value)) fields[field] = value;
  }
  const next = cause === undefined || depth === MAX_CAUSES ? undefined : toWire(cause, depth + 1);
  return { name, message, stack, cause: next, fields };
}

export function fromWire(wire: WireError, classes: readonly ErrorClass[] = []): Error {
  const { name, message, stack, cause, fields } = wire;
  const error = new Error(message, cause && { cause: fromWire(cause, classes) });
  const known = classes.find((each) => each.name === name && (each.accepts?.(fields) ?? true));
  if (known !== undefined) Object.setPrototypeOf(error, known.prototype);
  if (stack !== undefined) error.stack = stack;
  Object.assign(error, fields);
  if (error.name !== name) Object.defineProperty(error, 'name', { value: name, writable: true });
  return error;
}

/** An object may have no text, such as one without a prototype. */
function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return Object.prototype.toString.call(thrown);
  }
}

/** Whether every message can hold the value. */
function isPlain(value: unknown): boolean {
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}

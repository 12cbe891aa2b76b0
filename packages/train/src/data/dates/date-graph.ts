/**
 * Reads a text as a date in the graph of a served model, with the operators for strings of opset 20:
 *
 *   date [batch] ─ RegexFullMatch, Where ─ StringSplit ─ Cast ─ year, month, day, weekday, hour [batch, parts]
 *
 * A text that is not a date of the format, an empty one among them, gives NaN.
 */
import { elementTypeNumber, stringTensor, tensor, type Model } from '@skein/onnx';
import { partNames, patternOf, type DateFormat } from './date-format.ts';

const OPSET = 20n;
/** IR version of that operator set. */
const IR_VERSION = 9n;
/** Operators that another operator set of ai.onnx defines otherwise than 20. */
const CHANGED =
  /^(Reduce(L1|L2|LogSum|LogSumExp|Max|Mean|Min|Prod|SumSquare)|Split|Resize|GridSample)$/;

type Emit = (
  operator: string,
  inputs: readonly string[],
  attributes: Readonly<Record<string, unknown>>,
) => string;

/** Whether the model can be of the operator set that reads dates. */
export function canReadDates({ graph, opsetImport }: Model): boolean {
  const opset = opsetImport.find(({ domain }) => domain === '')?.version ?? 0n;
  return opset >= OPSET || graph!.node.every(({ opType }) => !CHANGED.test(opType));
}

/** Makes it so. */
export function raiseOpset(model: Model): void {
  model.opsetImport = model.opsetImport.map((each) =>
    each.domain === '' && each.version < OPSET ? { ...each, version: OPSET } : each,
  );
  if (model.irVersion < IR_VERSION) model.irVersion = IR_VERSION;
}

/** @returns the parts, float32 [batch, parts]. */
export function emitDateParts(emit: Emit, text: string, format: DateFormat): string {
  const { order, separator, time } = format;
  const string = (value: string) => emit('Constant', [], { value: stringTensor([], [value]) });
  const number = (value: number) =>
    emit('Constant', [], { value: tensor('float32', [1], Float32Array.of(value)) });
  const pick = (from: string, at: number) => {
    const index = emit('Constant', [], {
      value: tensor('int64', [1], BigInt64Array.of(BigInt(at))),
    });
    return emit('Gather', [from, index], { axis: 1 });
  };
  const split = (from: string, delimiter: string, maxsplit: number) =>
    emit('StringSplit', [from], { delimiter, maxsplit });
  const float = (from: string) => emit('Cast', [from], { to: elementTypeNumber('float32') });

  const absent = ['NaN', 'NaN', 'NaN'].join(separator);
  const isDate = emit('RegexFullMatch', [text], { pattern: patternOf(format) });
  const instead = string(time === undefined ? absent : `${absent}${time}NaN:`);
  const safe = emit('Where', [isDate, text, instead], {});
  // [batch, 2], each of them [batch, 1] from here on.
  const halves = time === undefined ? undefined : split(safe, time, 1);
  const squeezed = (from: string) => {
    const axis = emit('Constant', [], { value: tensor('int64', [1], BigInt64Array.of(1n)) });
    return emit('Squeeze', [from, axis], {});
  };
  const date = halves === undefined ? safe : squeezed(pick(halves, 0));
  const pieces = split(date, separator, 2);
  const [year, month, day] = ['y', 'm', 'd'].map((letter) =>
    float(pick(pieces, order.indexOf(letter))),
  ) as [string, string, string];
  const hour = halves && float(pick(split(squeezed(pick(halves, 1)), ':', 1), 0));
  const parts = {
    year,
    month,
    day,
    weekday: emitWeekday(emit, number, { year, month, day }),
    hour,
  };
  return emit(
    'Concat',
    partNames(format).map((name) => parts[name]!),
    { axis: 1 },
  );
}

/** The same congruence as `weekdayOf`. */
function emitWeekday(
  emit: Emit,
  number: (value: number) => string,
  { year, month, day }: Readonly<Record<'year' | 'month' | 'day', string>>,
): string {
  const add = (a: string, b: string) => emit('Add', [a, b], {});
  const subtract = (a: string, b: string) => emit('Sub', [a, b], {});
  const times = (a: string, by: number) => emit('Mul', [a, number(by)], {});
  const over = (a: string, by: number) => emit('Floor', [emit('Div', [a, number(by)], {})], {});
  const isEarly = emit('Less', [month, number(3)], {});
  const early = emit('Cast', [isEarly], { to: elementTypeNumber('float32') });
  const y = subtract(year, early);
  const shifted = add(add(month, times(early, 12)), number(1));
  const leap = add(subtract(over(y, 4), over(y, 100)), over(y, 400));
  const sum = add(add(add(day, over(times(shifted, 13), 5)), add(y, leap)), number(5));
  return add(subtract(sum, times(over(sum, 7), 7)), number(1));
}

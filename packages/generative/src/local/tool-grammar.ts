/** Calls of tools as texts that satisfy the schemas of their parameters. */
import type { GenerateRequest, Tool } from '../contract.ts';
import { FieldError } from '../field-error.ts';
import { MAX_TOOL_CALLS } from '../limits.ts';
import { grammarOfSchema, schemaBudget } from './grammar/json-schema.ts';
import type { GrammarSymbol } from './grammar/automaton.ts';
import {
  byte,
  choice,
  object,
  oneOf,
  repeat,
  type Sequence,
  SPACE,
  text,
} from './grammar/json-text.ts';

export const OPEN = '<tool_call>';
export const CLOSE = '</tool_call>';

/** One call, without marks. References in the parameters of a tool are its own. @throws SkeinError GENERATION_UNSUPPORTED. */
export function grammarOfCall(
  tools: readonly Tool[],
  wanted: 'required' | { readonly name: string },
): Sequence {
  const among = wanted === 'required' ? tools : tools.filter(({ name }) => name === wanted.name);
  if (among.length === 0) {
    throw new FieldError(
      'tool_choice',
      'The tool that the request requires is not among its tools.',
      'GENERATION_UNSUPPORTED',
    );
  }
  const budget = schemaBudget();
  return oneOf(
    among.map(({ name, parameters }) => {
      const schema = { type: 'object', ...parameters };
      const value = grammarOfSchema(schema, `${name}.arguments#`, budget);
      return object([
        { name: 'name', value: text(JSON.stringify(name)), required: true },
        { name: 'arguments', value, required: true },
      ]);
    }),
  );
}

/** Calls between marks. @throws SkeinError GENERATION_UNSUPPORTED. */
export function grammarOfMarkedCalls({ tools = [], parallelToolCalls }: GenerateRequest): Sequence {
  const call = grammarOfCall(tools, 'required');
  const marked = [...text(OPEN), SPACE, ...call, SPACE, ...text(CLOSE), SPACE];
  return [repeat(marked, 1, parallelToolCalls === false ? 1 : MAX_TOOL_CALLS)];
}

/**
 * Any text, in which what follows each mark is a call: of a strict tool with arguments of its schema.
 * How much of a mark the text ends with decides what each byte leads to (Knuth, Morris, Pratt 1977).
 * @throws SkeinError GENERATION_UNSUPPORTED.
 */
export function grammarOfTextWithCalls(tools: readonly Tool[]): Sequence {
  const loose = tools.map((tool) => (tool.strict === true ? tool : { name: tool.name }));
  const call = [SPACE, ...grammarOfCall(loose, 'required'), SPACE, ...text(CLOSE)];
  const bytes = Array.from({ length: 256 }, (_, each) => each);
  const after: readonly GrammarSymbol[] = Array.from({ length: OPEN.length }, (_, matched) =>
    choice(() => [
      [],
      ...Array.from({ length: OPEN.length + 1 }, (_unused, next) => {
        const leading = bytes.filter((each) => matchedAfter(matched, each) === next);
        const set = byte(...leading.map((each) => [each, each] as const));
        return [set, ...(next === OPEN.length ? [...call, after[0]!] : [after[next]!])];
      }),
    ]),
  );
  return [after[0]!];
}

/** Characters of the mark with which a text ends that ended with so many of them before this byte. */
function matchedAfter(matched: number, each: number): number {
  const end = OPEN.slice(0, matched) + String.fromCharCode(each);
  let length = end.length;
  while (!end.endsWith(OPEN.slice(0, length))) length -= 1;
  return length;
}

/**
 * A gateway that replaces what an operator declares in prompts, before a provider gets them, and in
 * answers, before the caller does. It stands before everything else: the cache, the worst case and
 * the copies of a rollout know the redacted prompt alone.
 *
 * It scans the texts of messages, prompts and inputs, the model's reasoning, the arguments of
 * calls and their results, parts of other kinds, and the values of fields that travel through unknown.
 * Images, files, and the names and schemas of tools are sent as they are. An answer that is redacted
 * has no log probabilities, and its pieces of text carry no unknown fields but `extra_content`: both
 * may repeat the text in pieces.
 */
import type { Redaction } from '@skein/api';
import type { RedactionKind } from '@skein/api/implementations';
import type {
  Caller,
  EmbedRequest,
  Gateway,
  GenerateEvent,
  GenerateRequest,
  Generation,
  Message,
  Part,
  ToolCall,
} from '../contract.ts';
import { leavable, leave } from '../leavable.ts';
import { type Count, inTurns, replaceBy } from './in-turns.ts';
import { createRedactionCounts } from './counts.ts';
import { extraOf, pieceExtraOf, redactedExtra, type Replace } from './redacted-extra.ts';
import { compile, createScanner, type Program, type Scanner } from './scanner.ts';

/** How many matches were replaced in a prompt, and so far in its answer. */
const HEADER = 'skein-redacted';

/** @throws SkeinError REQUEST_INVALID for a pattern that cannot be read. */
export function redacting(
  redactions: readonly Redaction[],
  counts = createRedactionCounts(),
): (gateway: Gateway) => Gateway {
  if (redactions.length === 0) return (gateway) => gateway;
  const programs = new Map<string, Rules>();
  const compiled = (rules: readonly Redaction[]): Rules | undefined => {
    if (rules.length === 0) return undefined;
    const key = rules.map(({ name }) => name).join(' ');
    let program = programs.get(key);
    if (program === undefined) {
      const names = rules.map(({ name }) => name);
      programs.set(key, (program = { names, program: compile(rules.map(ruleOf)) }));
    }
    return program;
  };
  // A pattern that cannot be read is refused when it is declared, not by a request.
  compiled(redactions);
  const counting =
    (side: 'prompts' | 'answers', { names }: Rules, total: Total): Count =>
    (replaced) => {
      for (const [rule, matches] of replaced.entries()) {
        total.matches += matches;
        counts.add(names[rule]!, side, matches);
      }
    };
  const programOf = (
    side: 'prompts' | 'answers',
    model: string,
    { tenant }: Pick<Caller, 'tenant'>,
  ) =>
    compiled(
      redactions.filter(
        ({ of, models, tenants }) =>
          (of === side || of === 'both') &&
          models?.includes(model) !== false &&
          tenants?.includes(tenant) !== false,
      ),
    );

  async function asked<Request extends { readonly model: string }>(
    request: Request,
    caller: Pick<Caller, 'tenant' | 'signal'>,
    redacted: (request: Request, by: Replace) => Request,
    total: Total,
  ): Promise<Request> {
    const prompts = programOf('prompts', request.model, caller);
    if (prompts === undefined) return request;
    const count = counting('prompts', prompts, total);
    return inTurns(prompts.program, count, (by) => redacted(request, by), caller.signal);
  }

  return (gateway) => ({
    ...gateway,
    async generate(request, caller) {
      const total: Total = { matches: 0 };
      const prompt = await asked(request, caller, redactedRequest, total);
      const answers = programOf('answers', request.model, caller);
      if (answers === undefined) {
        return { ...withHeader(await gateway.generate(prompt, caller), total), sent: prompt };
      }
      const generation = await gateway.generate({ ...prompt, logprobs: undefined }, caller);
      const count = counting('answers', answers, total);
      const shown = redactedAnswer(generation, answers.program, count);
      return { ...withHeader(shown, total), sent: prompt };
    },
    countTokens: async (request, caller) =>
      gateway.countTokens(await asked(request, caller, redactedRequest, { matches: 0 }), caller),
    embed: async (request, caller) =>
      gateway.embed(await asked(request, caller, redactedInputs, { matches: 0 }), caller),
  });
}

interface Rules {
  readonly program: Program;
  /** In the order of the program's rules. */
  readonly names: readonly string[];
}

/** Matches in one request. */
interface Total {
  matches: number;
}

/** Patterns under names, for what most operators look for. Numbers are found by their shape alone. */
export const KINDS: Readonly<Record<RedactionKind, string>> = {
  email: String.raw`[\w.%+-]+@[\w-]+(\.[\w-]+)+`,
  /** 13 to 19 digits, in groups or not (ISO/IEC 7812). */
  card: String.raw`\b\d([ -]?\d){12,18}\b`,
  /** ISO 13616: country, check digits, and 11 to 30 characters, in groups or not. */
  iban: String.raw`\b[A-Z]{2}\d{2}( ?[A-Z0-9]){11,30}\b`,
  ipv4: String.raw`\b\d{1,3}(\.\d{1,3}){3}\b`,
  /** Keys in the forms of OpenAI, GitHub, Google, AWS and Slack. */
  key: String.raw`\b(sk-[\w-]{16,}|gh[pousr]_\w{36,}|AIza[\w-]{35}|AKIA[A-Z0-9]{16}|xox[abprs]-[\w-]{10,})`,
};

const ruleOf = ({ name, kind, pattern, ignoreCase, replacement }: Redaction) => ({
  pattern: kind === undefined ? pattern! : KINDS[kind],
  ignoresCase: ignoreCase,
  replacement: replacement ?? `[${name}]`,
});

function redactedRequest(request: GenerateRequest, replace: Replace): GenerateRequest {
  const { messages, prompt, continuation, extra } = request;
  return {
    ...request,
    messages: messages.map((message) => redactedMessage(message, replace)),
    prompt: prompt === undefined ? undefined : replace(prompt),
    continuation: continuation && { text: replace(continuation.text) },
    ...extraOf(extra, replace),
  };
}

function redactedMessage(message: Message, replace: Replace): Message {
  const { content, reasoning, toolCalls, name, extra } = message;
  return {
    ...message,
    content: content.map((part) => redactedPart(part, replace)),
    reasoning: reasoning === undefined ? undefined : replace(reasoning),
    name: name === undefined || message.role === 'tool' ? name : replace(name),
    toolCalls: toolCalls?.map((call) => redactedCall(call, replace)),
    ...extraOf(extra, replace),
  };
}

function redactedPart(part: Part, replace: Replace): Part {
  if (part.type === 'other') return { ...part, value: redactedExtra(part.value, replace) };
  const extra = extraOf(part.extra, replace);
  return part.type === 'text'
    ? { ...part, text: replace(part.text), ...extra }
    : { ...part, ...extra };
}

const redactedCall = (call: ToolCall, replace: Replace): ToolCall => ({
  ...call,
  arguments: replace(call.arguments),
  ...extraOf(call.extra, replace),
});

const redactedInputs = (request: EmbedRequest, replace: Replace): EmbedRequest => ({
  ...request,
  inputs: request.inputs.map(replace),
  ...extraOf(request.extra, replace),
});

const withHeader = (generation: Generation, total: Total): Generation => ({
  ...generation,
  headers: () => ({ ...generation.headers(), [HEADER]: String(total.matches) }),
});

function redactedAnswer(generation: Generation, program: Program, count: Count): Generation {
  const { events } = generation;
  const redacted = redactedEvents(events, program, count);
  return { ...generation, events: leavable(redacted, () => leave(events)) };
}

type TextEvent = GenerateEvent & { readonly type: 'text' | 'reasoning' | 'tool-call' };

async function* redactedEvents(
  events: AsyncIterable<GenerateEvent>,
  program: Program,
  count: Count,
): AsyncGenerator<GenerateEvent, void> {
  /** Texts of a choice that are still written: its text, its reasoning, the arguments of each call. */
  const open = new Map<string, { readonly scanner: Scanner; readonly last: TextEvent }>();
  const replace = replaceBy(program, count);

  function* ended(choice: number): Generator<GenerateEvent> {
    for (const [key, { scanner, last }] of open) {
      if ((last.choice ?? 0) !== choice) continue;
      open.delete(key);
      const rest = scanner.end();
      count(scanner.replaced);
      if (rest !== '') yield restOf(last, rest);
    }
  }

  for await (const event of events) {
    if (event.type === 'logprobs') continue;
    if (event.type === 'finish') {
      yield* ended(event.choice ?? 0);
      const { extra: choiceExtra } = extraOf(event.choiceExtra, replace);
      const ofChoice = choiceExtra === undefined ? {} : { choiceExtra };
      yield { ...event, ...extraOf(event.extra, replace), ...ofChoice };
      continue;
    }
    if (event.type === 'start' || event.type === 'usage') {
      yield { ...event, ...extraOf(event.extra, replace) };
      continue;
    }
    const place = event.type === 'tool-call' ? event.index : '';
    const key = `${event.choice ?? 0} ${event.type} ${place}`;
    const scanner = open.get(key)?.scanner ?? createScanner(program);
    open.set(key, { scanner, last: event });
    const isCall = event.type === 'tool-call';
    const text = scanner.push(isCall ? event.arguments : event.text);
    const { extra: unknown, ...known } = event;
    const extra = pieceExtraOf(unknown, replace);
    // The first event of a call names it, and a signature may come without a text.
    if (text === '' && extra.extra === undefined && !(isCall && event.name !== undefined)) continue;
    yield known.type === 'tool-call'
      ? { ...known, arguments: text, ...extra }
      : { ...known, text, ...extra };
  }
}

function restOf(last: TextEvent, rest: string): GenerateEvent {
  const place = last.choice === undefined ? {} : { choice: last.choice };
  return last.type === 'tool-call'
    ? { type: 'tool-call', index: last.index, arguments: rest, ...place }
    : { type: last.type, text: rest, ...place };
}

/** The events of an answer, put together for a client that wants it at once. */
import { SkeinError } from '@skein/api';
import type {
  Extra,
  FinishReason,
  GenerateEvent,
  Generation,
  TokenLogprob,
  Usage,
} from '@skein/generative';
import { joinedExtra } from './joined-extra.ts';

export interface CollectedCall {
  id: string;
  name: string;
  arguments: string;
  extra: Extra | undefined;
}

export interface Choice {
  text: string;
  reasoning: string;
  readonly toolCalls: CollectedCall[];
  readonly logprobs: TokenLogprob[];
  finish: FinishReason | undefined;
  extra: Extra | undefined;
  /** Fields next to its message. */
  choiceExtra: Extra | undefined;
}

export interface Collected {
  readonly choices: readonly Choice[];
  readonly usage: Usage | undefined;
  readonly usageExtra: Extra | undefined;
  /** Fields of the whole answer. */
  readonly extra: Extra | undefined;
}

/** @throws SkeinError of the gateway; PROVIDER_CUT when a choice has no end. */
export async function collect({ events }: Pick<Generation, 'events'>): Promise<Collected> {
  const choices: Choice[] = [];
  let usage: Usage | undefined;
  let usageExtra: Extra | undefined;
  let extra: Extra | undefined;
  for await (const event of events) {
    if (event.type === 'usage') {
      usage = event.usage;
      usageExtra = event.extra ?? usageExtra;
    } else if (event.type === 'start') extra = { ...extra, ...event.extra };
    else addTo(choiceAt(choices, event.choice ?? 0), event);
  }
  const whole = choices.filter((choice) => choice !== undefined);
  if (whole.length === 0 || whole.some(({ finish }) => finish === undefined)) {
    throw new SkeinError('PROVIDER_CUT', 'The answer ended before it was whole.');
  }
  return { choices: whole, usage, usageExtra, extra };
}

export function newChoice(): Choice {
  return {
    text: '',
    reasoning: '',
    toolCalls: [],
    logprobs: [],
    finish: undefined,
    extra: undefined,
    choiceExtra: undefined,
  };
}

export function addTo(
  choice: Choice,
  event: Exclude<GenerateEvent, { type: 'start' | 'usage' }>,
): void {
  switch (event.type) {
    case 'text':
      choice.text += event.text;
      choice.extra = joinedExtra(choice.extra, event.extra);
      return;
    case 'reasoning':
      choice.reasoning += event.text;
      choice.extra = joinedExtra(choice.extra, event.extra);
      return;
    case 'tool-call': {
      const call = (choice.toolCalls[event.index] ??= {
        id: event.id ?? newCallId(),
        name: '',
        arguments: '',
        extra: undefined,
      });
      // Some servers repeat the name with every piece.
      if (call.name === '') call.name = event.name ?? '';
      call.arguments += event.arguments;
      call.extra = joinedExtra(call.extra, event.extra);
      return;
    }
    case 'logprobs':
      choice.logprobs.push(...event.tokens);
      return;
    case 'finish':
      choice.finish = event.reason;
      choice.extra = joinedExtra(choice.extra, event.extra);
      choice.choiceExtra = event.choiceExtra;
  }
}

/** A model that has called a tool waits for its result, whatever reason its server gives. */
export function finishOf({ finish = 'stop', toolCalls }: Choice): FinishReason {
  return finish === 'stop' && toolCalls.length > 0 ? 'tool_calls' : finish;
}

export const newCallId = (): string =>
  `call_${crypto.randomUUID().replaceAll('-', '').slice(0, 24)}`;

function choiceAt(choices: Choice[], index: number): Choice {
  return (choices[index] ??= newChoice());
}

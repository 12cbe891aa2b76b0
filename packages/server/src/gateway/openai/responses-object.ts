/** The objects of `/v1/responses`: a response and its items. */
import type { Extra, GenerateRequest, Receipt, Usage } from '@skein/generative';
import type { Choice, CollectedCall } from '../language/collect.ts';
import type { Fields } from '../language/fields.ts';
import { logprobOf } from './chat-answer.ts';
import { isReasoned, reasoningItem } from './reasoning-item.ts';
import type { ReasoningSeals } from './reasoning-seals.ts';

export type Status = 'in_progress' | 'completed' | 'incomplete' | 'failed';

/** The fields of its request that a response repeats. @param store whether it can be read again. */
export function headOf(id: string, request: GenerateRequest, body: Fields, store: boolean): Fields {
  return {
    id: `resp_${id}`,
    object: 'response',
    created_at: Math.floor(Date.now() / 1000),
    error: null,
    incomplete_details: null,
    instructions: body['instructions'] ?? null,
    max_output_tokens: request.maxTokens ?? null,
    model: request.model,
    parallel_tool_calls: request.parallelToolCalls ?? true,
    previous_response_id: body['previous_response_id'] ?? null,
    reasoning: { effort: request.effort ?? null, summary: null },
    store,
    temperature: request.sampling?.temperature ?? 1,
    text: body['text'] ?? { format: { type: 'text' } },
    tool_choice: body['tool_choice'] ?? 'auto',
    tools: body['tools'] ?? [],
    top_p: request.sampling?.topP ?? 1,
    truncation: 'disabled',
    metadata: body['metadata'] ?? {},
  };
}

export const statusOf = ({ finish }: Choice): Status =>
  finish === 'length' || finish === 'content_filter' ? 'incomplete' : 'completed';

interface ResponseState {
  readonly status: Status;
  readonly finish: Choice['finish'];
  readonly output: readonly unknown[];
  readonly usage: Usage | undefined;
  readonly receipt: Receipt | undefined;
}

export function responseOf(
  head: Fields,
  { status, finish, output, usage, receipt }: ResponseState,
): Fields {
  const counted = usage ?? receipt?.usage;
  const reason = finish === 'content_filter' ? 'content_filter' : 'max_output_tokens';
  return {
    ...head,
    status,
    output,
    incomplete_details: status === 'incomplete' ? { reason } : null,
    usage: counted === undefined ? null : responseUsage(counted, receipt),
  };
}

function responseUsage(
  { inputTokens, outputTokens, cachedInputTokens = 0, reasoningTokens = 0 }: Usage,
  receipt: Receipt | undefined,
): Fields {
  return {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: cachedInputTokens },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: reasoningTokens },
    total_tokens: inputTokens + outputTokens,
    ...(receipt === undefined ? {} : { cost: receipt.costUsd }),
  };
}

export const textPart = ({ text, logprobs }: Pick<Choice, 'text' | 'logprobs'>): Fields => ({
  type: 'output_text',
  text,
  annotations: [],
  logprobs: logprobs.map(logprobOf),
});

export const refusalPart = (refusal: string): Fields => ({ type: 'refusal', refusal });

/** A model's refusal is a field of the message in chat completions. */
export function refusalOf(extra: Extra | undefined): string {
  const refusal = extra?.['refusal'];
  return typeof refusal === 'string' ? refusal : '';
}

export function messageItem(
  id: string,
  status: string,
  content: readonly unknown[],
  extra?: Extra,
): Fields {
  const { refusal: _, ...more } = extra ?? {};
  return { ...more, type: 'message', id: `msg_${id}`, status, role: 'assistant', content };
}

export const callItem = (
  id: string,
  index: number,
  call: CollectedCall,
  status: string,
): Fields => ({
  type: 'function_call',
  id: `fc_${id}_${index}`,
  call_id: call.id,
  name: call.name,
  arguments: status === 'in_progress' ? '' : call.arguments,
  status,
  ...call.extra,
});

export function itemsOf(id: string, choice: Choice, seals: ReasoningSeals): Fields[] {
  const status = statusOf(choice) === 'completed' ? 'completed' : 'incomplete';
  const items: Fields[] = [];
  if (isReasoned(choice)) items.push(reasoningItem(id, seals, choice));
  const refusal = refusalOf(choice.extra);
  const isSaid = choice.text !== '' || (choice.toolCalls.length === 0 && refusal === '');
  const content = [
    ...(isSaid ? [textPart(choice)] : []),
    ...(refusal === '' ? [] : [refusalPart(refusal)]),
  ];
  if (content.length > 0) items.push(messageItem(id, status, content, choice.extra));
  return [...items, ...choice.toolCalls.map((call, index) => callItem(id, index, call, status))];
}

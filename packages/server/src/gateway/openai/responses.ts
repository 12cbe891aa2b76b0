/**
 * `/v1/responses`, whole or as its events: created → in_progress → for each item output_item.added,
 * its deltas, its done events → completed or incomplete, and no `[DONE]`. A stream that breaks ends
 * with `error` and `response.failed`.
 *
 * Where the operator lets responses be stored, a whole one is stored before its caller reads that it
 * is, and can be continued by `previous_response_id`. Else nothing is stored, and each response states so.
 */
import type { Message } from '@skein/generative';
import { sendText } from '@skein/http';
import type { ModelCall } from '../language/call.ts';
import { collect, newChoice } from '../language/collect.ts';
import { streamAnswer, type StreamWriter } from '../language/event-stream.ts';
import type { Fields } from '../language/fields.ts';
import { modelOf, stickyKeyOf } from './chat-request.ts';
import { responseEvents } from './responses-events.ts';
import { headOf, itemsOf, responseOf, statusOf } from './responses-object.ts';
import { reasoningSeals } from './reasoning-seals.ts';
import { readResponse, type ResponseRequest } from './responses-request.ts';
import {
  conversationOf,
  type KeptResponse,
  newResponseId,
  referredItems,
} from './stored-responses.ts';
import type { OpenAiTransport } from './options.ts';

export async function answerResponse(
  call: ModelCall,
  { limits, logger, responses, sealKey }: OpenAiTransport,
): Promise<void> {
  const { exchange, body, owner, gateway, caller } = call;
  call.requireModel(modelOf(body));
  const kept = await responses(owner);
  const seals = reasoningSeals({ key: await sealKey(), tenant: owner.tenant, hold: call.hold });
  const earlier = await conversationOf(body['previous_response_id'], kept, call.hold, seals);
  const input = await referredItems(body['input'], kept, call.hold);
  const asked = readResponse({ ...body, input }, earlier, seals);
  const { request } = asked;
  const keeps = kept !== undefined && body['store'] !== false;
  const id = keeps ? newResponseId() : exchange.id;
  const head = headOf(id, request, body, keeps);
  const by = caller(stickyKeyOf(body));
  const generation = await gateway.generate(request, by);

  /** @returns the response as its caller reads it. */
  async function stored(response: Fields): Promise<Fields> {
    if (!keeps) return response;
    const sent = generation.sent ?? request;
    const value = JSON.stringify(recordOf(response, { ...asked, request: sent }));
    const previous = response['previous_response_id'] as string | null;
    const key = response['id'] as string;
    const store = await kept.keep({ id: key, previous: previous ?? undefined, value });
    return { ...response, store };
  }

  if (!request.stream) {
    const { choices, usage } = await collect(generation);
    const [choice = newChoice()] = choices;
    const answer = responseOf(head, {
      status: statusOf(choice),
      finish: choice.finish,
      output: itemsOf(id, choice, seals),
      usage,
      receipt: generation.receipt(),
    });
    const text = JSON.stringify(await stored(answer));
    const headers = Object.entries(generation.headers()).flat();
    sendText(exchange, 200, 'application/json', text, headers);
    return;
  }
  const events = responseEvents(id, head, seals);
  // Written with the first event: a generation that is never read would never end.
  let before = events.begin();
  const begun = (text: string): string => {
    const all = before + text;
    before = '';
    return all;
  };
  const writer: StreamWriter = {
    write: (event) => begun(events.write(event)),
    async end(receipt) {
      const { text, response } = events.end(receipt);
      return begun(text + events.finish(await stored(response)));
    },
    fail: (error) => begun(events.fail(error)),
  };
  const unreadMs = limits.bodyTimeoutMs;
  await streamAnswer(call, generation, writer, { unreadMs, logger });
}

/** The stored record: the texts of the prompt as a provider has seen them. */
function recordOf(response: Fields, { request, input }: ResponseRequest): KeptResponse {
  const { messages, extra } = request;
  const [first] = messages;
  const isGiven = response['instructions'] !== null;
  return {
    response: {
      ...response,
      instructions: isGiven ? textOf(first) : null,
      metadata: extra?.['metadata'] ?? {},
    },
    input: messages.slice(messages.length - input.length),
  };
}

const textOf = (message: Message | undefined): string =>
  message?.content.map((part) => (part.type === 'text' ? part.text : '')).join('') ?? '';

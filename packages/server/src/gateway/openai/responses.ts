/**
 * `/v1/responses`, whole or as its events: created → in_progress → for each item output_item.added,
 * its deltas, its done events → completed or incomplete, and no `[DONE]`. A stream that breaks ends
 * with `error` and `response.failed`. Nothing is stored, and each response says so.
 */
import { sendText, toSkeinError } from '@skein/http';
import type { LanguageTransport, ModelCall } from '../generative/call.ts';
import { collect, newChoice } from '../generative/collect.ts';
import { breakStream, openStream, sendEvents } from '../generative/event-stream.ts';
import { stickyKeyOf } from './chat-request.ts';
import { responseEvents } from './responses-events.ts';
import { headOf, itemsOf, responseOf, statusOf } from './responses-object.ts';
import { readResponse } from './responses-request.ts';

export async function answerResponse(
  { exchange, body, gateway, caller, signal }: ModelCall,
  { limits, logger }: LanguageTransport,
): Promise<void> {
  const request = readResponse(body);
  const head = headOf(exchange.id, request, body);
  const generation = await gateway.generate(request, caller(stickyKeyOf(body)));
  if (!request.stream) {
    const { choices, usage } = await collect(generation);
    const [choice = newChoice()] = choices;
    const answer = responseOf(head, {
      status: statusOf(choice),
      finish: choice.finish,
      output: itemsOf(exchange.id, choice),
      usage,
      receipt: generation.receipt(),
    });
    const headers = Object.entries(generation.headers()).flat();
    sendText(exchange, 200, 'application/json', JSON.stringify(answer), headers);
    return;
  }
  const stream = openStream(exchange, generation.headers(), {
    signal,
    unreadMs: limits.bodyTimeoutMs,
  });
  const events = responseEvents(exchange.id, head);
  // Written with the first event: a generation that is never read would never end.
  let before = events.begin();
  try {
    await sendEvents(stream, generation.events, (event) => {
      const text = before + events.write(event);
      before = '';
      return text;
    });
    stream.end(before + events.end(generation.receipt()));
  } catch (error) {
    const reason: unknown = signal.aborted ? signal.reason : error;
    breakStream(exchange, events.fail(toSkeinError(reason, exchange.id, logger)));
  }
}

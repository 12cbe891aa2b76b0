/** Keeps `parallel_tool_calls: false` where a provider does not: each answer has its first call alone. */
import type { GenerateEvent, GenerateRequest } from '../contract.ts';

export function callsOf(
  events: AsyncIterable<GenerateEvent>,
  { parallelToolCalls, tools = [] }: GenerateRequest,
): AsyncIterable<GenerateEvent> {
  return parallelToolCalls === false && tools.length > 0 ? firstCalls(events) : events;
}

async function* firstCalls(events: AsyncIterable<GenerateEvent>): AsyncGenerator<GenerateEvent> {
  for await (const event of events) {
    if (event.type !== 'tool-call' || event.index === 0) yield event;
  }
}

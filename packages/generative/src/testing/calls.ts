/** Requests and readers that most tests of the gateway share. */
import type { Caller, GenerateEvent, GenerateRequest, Generation } from '../contract.ts';

let count = 0;

export function callerOf(more: Partial<Caller> = {}): Caller {
  count += 1;
  return {
    requestId: `r${count}`,
    tenant: 'default',
    arrivedAt: performance.now(),
    priority: 0,
    signal: new AbortController().signal,
    ...more,
  };
}

export function requestOf(model: string, more: Partial<GenerateRequest> = {}): GenerateRequest {
  return {
    model,
    messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
    stream: true,
    ...more,
  };
}

export function textOf(events: readonly GenerateEvent[]): string {
  return events.map((event) => (event.type === 'text' ? event.text : '')).join('');
}

export async function eventsOf({ events }: Pick<Generation, 'events'>): Promise<GenerateEvent[]> {
  const all: GenerateEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** All events of a stream, and the text that they make. */
export async function readAll(
  events: AsyncIterable<GenerateEvent>,
): Promise<{ all: GenerateEvent[]; text: string }> {
  const all = await eventsOf({ events });
  return { all, text: textOf(all) };
}

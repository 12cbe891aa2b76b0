/** The requests of the gateway's rows, and the reading of their answers. */
import { SkeinError } from '@skein/api';
import type { Gateway } from '@skein/generative';

export interface Outcome {
  /** From the arrival to the first content; NaN: refused or failed. */
  readonly ttftMs: number;
  readonly code: string | undefined;
  /** From the arrival to the end, or to the error. */
  readonly totalMs: number;
  readonly text: string;
}

let count = 0;

export async function ask(
  gateway: Gateway,
  model: string,
  { stream = true, tools = false }: { stream?: boolean; tools?: boolean } = {},
): Promise<Outcome> {
  const arrivedAt = performance.now();
  let ttftMs = Number.NaN;
  let text = '';
  let code: string | undefined;
  try {
    const { events } = await gateway.generate(
      {
        model,
        messages: [{ role: 'user', content: [{ type: 'text', text: 'Write something.' }] }],
        stream,
        ...(tools ? { tools: [{ name: 'look_up', parameters: { type: 'object' } }] } : {}),
      },
      {
        requestId: String((count += 1)),
        tenant: 'bench',
        arrivedAt,
        priority: 0,
        signal: new AbortController().signal,
      },
    );
    ttftMs = performance.now() - arrivedAt;
    for await (const event of events) {
      if (event.type === 'text') text += event.text;
      if (event.type === 'tool-call') text += `${event.name ?? ''}${event.arguments}`;
    }
  } catch (error) {
    code = error instanceof SkeinError ? error.code : String(error);
  }
  return {
    ttftMs: code === undefined ? ttftMs : Number.NaN,
    code,
    totalMs: performance.now() - arrivedAt,
    text,
  };
}

/** `clients` callers that ask again as soon as they are answered. */
export async function askInTurn(
  gateway: Gateway,
  model: string,
  clients: number,
  isOver: (asked: number) => boolean,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let asked = 0;
  const client = async (): Promise<void> => {
    while (!isOver(asked)) {
      asked += 1;
      outcomes.push(await ask(gateway, model));
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return outcomes;
}

/** The same numbers in each run (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

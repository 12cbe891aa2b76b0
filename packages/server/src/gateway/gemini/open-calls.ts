/**
 * The calls of a conversation that have no answer yet. A response of Gemini's API names the function,
 * not always the call: it answers the first open call of that name, or of its id.
 *
 * A call waits in two queues, of its name and of its id, and is skipped in one when it was answered
 * through the other. Each call is skipped at most once, so that a conversation is read in linear time.
 */
import type { ToolCall } from '@skein/generative';

interface Queue {
  readonly calls: ToolCall[];
  /** The calls before it are answered. */
  next: number;
}

export class OpenCalls {
  /** All calls so far. */
  count = 0;
  readonly #byName = new Map<string, Queue>();
  readonly #byId = new Map<string, Queue>();
  readonly #answered = new Set<ToolCall>();

  add(call: ToolCall): void {
    for (const [queues, key] of [
      [this.#byName, call.name],
      [this.#byId, call.id],
    ] as const) {
      const queue = queues.get(key);
      if (queue === undefined) queues.set(key, { calls: [call], next: 0 });
      else queue.calls.push(call);
    }
  }

  /** The call that a response answers, which is then closed. @param id absent: by the name. */
  answer(name: string, id: string | undefined): ToolCall | undefined {
    const queue = id === undefined ? this.#byName.get(name) : this.#byId.get(id);
    if (queue === undefined) return undefined;
    for (;;) {
      const call = queue.calls[queue.next];
      if (call === undefined) return undefined;
      queue.next += 1;
      if (this.#answered.has(call)) continue;
      this.#answered.add(call);
      return call;
    }
  }
}

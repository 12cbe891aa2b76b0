/** Reads a streamed chat completion. */
export interface ChatAnswer {
  readonly text: string;
  readonly calls: readonly { readonly name: string; readonly arguments: string }[];
  /** From the request to the first token, in milliseconds. */
  readonly ttftMs: number | undefined;
  readonly tokens: number | undefined;
  /** US dollars. */
  readonly cost: number | undefined;
  readonly provider: string | undefined;
  readonly finish: string | undefined;
}

interface Chunk {
  readonly error?: { readonly message: string };
  readonly choices: readonly {
    readonly delta: {
      readonly content?: string | null;
      readonly tool_calls?: readonly {
        readonly index: number;
        readonly function: { readonly name?: string; readonly arguments?: string };
      }[];
    };
    readonly finish_reason: string | null;
  }[];
  readonly usage?: { readonly completion_tokens: number; readonly cost?: number } | null;
}

/**
 * @param begun when the request was sent, by `performance.now()`.
 * @param onChange called with each longer answer.
 * @throws Error with the node's message, also in the middle of the answer, and for a stream that was
 *   cut.
 */
export async function readAnswer(
  response: Response,
  begun: number,
  onChange: (answer: ChatAnswer) => void,
): Promise<void> {
  if (!response.ok || response.body === null) {
    const { error } = (await response.json()) as { error: { message: string } };
    throw new Error(error.message);
  }
  let answer: ChatAnswer = {
    text: '',
    calls: [],
    ttftMs: undefined,
    tokens: undefined,
    cost: undefined,
    provider: response.headers.get('skein-provider') ?? undefined,
    finish: undefined,
  };
  let rest = '';
  let isWhole = false;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const events = (rest + value).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) {
      const data = event.replace(/^data: /, '');
      if (data === '[DONE]') isWhole = true;
      else answer = added(answer, JSON.parse(data) as Chunk, performance.now() - begun);
    }
    onChange(answer);
  }
  if (!isWhole) throw new Error('The answer was cut before its end.');
}

function added(before: ChatAnswer, { error, choices, usage }: Chunk, nowMs: number): ChatAnswer {
  if (error !== undefined) throw new Error(error.message);
  let answer = before;
  for (const { delta, finish_reason: finish } of choices) {
    const { content, tool_calls: calls = [] } = delta;
    if (content)
      answer = { ...answer, text: answer.text + content, ttftMs: answer.ttftMs ?? nowMs };
    for (const { index, function: called } of calls) {
      const known = answer.calls[index] ?? { name: '', arguments: '' };
      const call = {
        name: called.name ?? known.name,
        arguments: known.arguments + (called.arguments ?? ''),
      };
      const list = [...answer.calls];
      list[index] = call;
      answer = { ...answer, calls: list, ttftMs: answer.ttftMs ?? nowMs };
    }
    if (finish !== null) answer = { ...answer, finish };
  }
  if (usage) answer = { ...answer, tokens: usage.completion_tokens, cost: usage.cost };
  return answer;
}

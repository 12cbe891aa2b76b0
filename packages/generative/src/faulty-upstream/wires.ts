/** The two forms in which the faulty upstream answers: OpenAI's and Gemini's. */

export interface Wire {
  /** The first event: it has no content. */
  opening(): unknown;
  text(text: string): unknown;
  /** A delta of a call; upstreams that repeat themselves send the name and the id each time. */
  call(delta: string, isFirst: boolean, repeats: boolean): unknown;
  finish(reason: 'stop' | 'tool_calls', tokens: number): unknown;
  error(status: number, message: string): unknown;
  /** 429 for the quota of a minute or of a day, whose body lies about the wait. */
  quota(kind: 'minute' | 'day'): unknown;
  /** After the last event; OpenAI's only. */
  readonly last?: string;
}

const chunk = (delta: object, reason: string | null = null, usage?: object) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'faulty',
  system_fingerprint: 'fp_1',
  choices: [{ index: 0, delta, finish_reason: reason }],
  ...(usage === undefined ? {} : { usage }),
});

export const OPENAI: Wire = {
  opening: () => chunk({ role: 'assistant', content: '' }),
  text: (text) => chunk({ content: text }),
  call: (delta, isFirst, repeats) =>
    chunk({
      tool_calls: [
        {
          index: 0,
          ...(isFirst || repeats ? { id: 'call_1', type: 'function' } : {}),
          function: { ...(isFirst || repeats ? { name: 'look_up' } : {}), arguments: delta },
        },
      ],
    }),
  finish: (reason, tokens) =>
    chunk({}, reason, { prompt_tokens: 10, completion_tokens: tokens, total_tokens: 10 + tokens }),
  error: (status, message) => ({
    error: { message, type: 'server_error', code: status, param: null },
  }),
  quota: (kind) => ({
    error: {
      message: kind === 'day' ? 'You exceeded your current quota.' : 'Rate limit reached.',
      type: kind === 'day' ? 'insufficient_quota' : 'requests',
      code: kind === 'day' ? 'insufficient_quota' : 'rate_limit_exceeded',
    },
  }),
  last: '[DONE]',
};

const candidate = (parts: readonly object[], more: object = {}, usage: object = {}) => ({
  candidates: [{ content: { role: 'model', parts }, index: 0, ...more }],
  modelVersion: 'faulty',
  responseId: 'r1',
  ...usage,
});

export const GEMINI: Wire = {
  opening: () => ({
    modelVersion: 'faulty',
    responseId: 'r1',
    usageMetadata: { promptTokenCount: 10 },
  }),
  text: (text) => candidate([{ text }]),
  // Gemini sends calls whole, so that there is only the first delta.
  call: (_, isFirst) =>
    candidate(
      isFirst
        ? [
            {
              functionCall: { name: 'look_up', args: { q: 'x' } },
              thoughtSignature: 'c2lnbmF0dXJl',
            },
          ]
        : [],
    ),
  finish: (_, tokens) =>
    candidate(
      [],
      { finishReason: 'STOP' },
      {
        usageMetadata: {
          promptTokenCount: 10,
          candidatesTokenCount: tokens,
          totalTokenCount: 10 + tokens,
        },
      },
    ),
  error: (status, message) => ({ error: { code: status, message, status: 'INTERNAL' } }),
  quota: (kind) => ({
    error: {
      code: 429,
      message: 'You exceeded your current quota. Please retry in 20s.',
      status: 'RESOURCE_EXHAUSTED',
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
          violations: [
            {
              quotaId:
                kind === 'day'
                  ? 'GenerateRequestsPerDayPerProjectPerModel-FreeTier'
                  : 'GenerateRequestsPerMinutePerProjectPerModel',
            },
          ],
        },
        { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '20.5s' },
      ],
    },
  }),
};

/**
 * Every field of every endpoint with values of every wrong kind: each refusal names the field in
 * `param`, where OpenAI's clients look for it.
 */
import { LanguageSettings } from '@skein/api';
import { openGateway, type Provider } from '@skein/generative';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startLanguageFaces } from '../language/testing/scripted-gateway.ts';
import { ask, hello } from './testing/calls.ts';

type Kind = 'text' | 'number' | 'whole' | 'flag' | 'list' | 'object' | 'one of' | 'text or list';

/** A value of each kind of JSON; of a number also what no field takes. */
const VALUES: readonly (readonly [kinds: readonly Kind[], value: unknown])[] = [
  [['text', 'text or list'], 'no such value'],
  [['number'], 0.5],
  [[], 1e300],
  [[], -1e300],
  [['flag'], true],
  [['list', 'text or list'], []],
  [['object'], {}],
];

const SHARED: Readonly<Record<string, Kind>> = {
  model: 'text',
  temperature: 'number',
  top_p: 'number',
  top_k: 'whole',
  min_p: 'number',
  repetition_penalty: 'number',
  frequency_penalty: 'number',
  presence_penalty: 'number',
  seed: 'whole',
  stream: 'flag',
  prompt_cache_key: 'text',
};
const TEXT: Readonly<Record<string, Kind>> = {
  ...SHARED,
  n: 'whole',
  stop: 'text or list',
  max_tokens: 'whole',
  stream_options: 'object',
  'stream_options.include_usage': 'flag',
  skein_continuation: 'text',
};
const CHAT_MESSAGE = { role: 'user', content: 'Hi' };
const CALL = { id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } };
const SCHEMA = { type: 'json_schema', json_schema: { name: 'x', schema: {} } };
const ENDPOINTS: readonly (readonly [string, object, Readonly<Record<string, Kind>>])[] = [
  [
    '/v1/chat/completions',
    {
      model: 'chat',
      messages: [
        CHAT_MESSAGE,
        { role: 'assistant', tool_calls: [CALL], reasoning_content: 'hm' },
        { role: 'tool', tool_call_id: 'c', content: [{ type: 'text', text: 'x' }] },
        {
          role: 'user',
          name: 'me',
          content: [{ type: 'image_url', image_url: { url: 'https://example.org/a.png' } }],
        },
      ],
      tools: [{ type: 'function', function: { name: 'f', parameters: {} } }],
      response_format: SCHEMA,
    },
    {
      ...TEXT,
      messages: 'list',
      'messages.0': 'object',
      'messages.0.role': 'one of',
      'messages.0.content': 'text or list',
      'messages.1.reasoning_content': 'text',
      'messages.1.tool_calls': 'list',
      'messages.1.tool_calls.0': 'object',
      'messages.1.tool_calls.0.id': 'text',
      'messages.1.tool_calls.0.function': 'object',
      'messages.1.tool_calls.0.function.name': 'text',
      'messages.1.tool_calls.0.function.arguments': 'text',
      'messages.2.tool_call_id': 'text',
      'messages.2.content.0': 'object',
      'messages.2.content.0.type': 'text',
      'messages.2.content.0.text': 'text',
      'messages.3.name': 'text',
      'messages.3.content.0.image_url': 'object',
      'messages.3.content.0.image_url.url': 'one of',
      max_completion_tokens: 'whole',
      tools: 'list',
      'tools.0': 'object',
      'tools.0.type': 'one of',
      'tools.0.function': 'object',
      'tools.0.function.name': 'text',
      'tools.0.function.description': 'text',
      'tools.0.function.parameters': 'object',
      'tools.0.function.strict': 'flag',
      tool_choice: 'one of',
      parallel_tool_calls: 'flag',
      response_format: 'object',
      'response_format.type': 'one of',
      'response_format.json_schema': 'object',
      'response_format.json_schema.name': 'text',
      'response_format.json_schema.schema': 'object',
      'response_format.json_schema.strict': 'flag',
      logprobs: 'flag',
      top_logprobs: 'whole',
      reasoning_effort: 'text',
    },
  ],
  ['/v1/completions', { model: 'chat', prompt: 'x' }, { ...TEXT, prompt: 'text', logprobs: 'whole', best_of: 'whole' }], // prettier-ignore
  [
    '/v1/embeddings',
    { model: 'chat', input: ['x'] },
    { model: 'text', input: 'text or list', 'input.0': 'text', encoding_format: 'one of', dimensions: 'whole' }, // prettier-ignore
  ],
  [
    '/v1/responses',
    {
      model: 'chat',
      input: [
        { role: 'user', content: [{ type: 'input_text', text: 'x' }] },
        { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' },
        { type: 'function_call_output', call_id: 'c', output: 'x' },
      ],
      tools: [{ type: 'function', name: 'f', parameters: {} }],
      text: { format: { type: 'json_schema', name: 'x', schema: {} } },
      reasoning: { effort: 'low' },
    },
    {
      ...SHARED,
      input: 'text or list',
      'input.0': 'object',
      'input.0.type': 'one of',
      'input.0.role': 'one of',
      'input.0.content': 'text or list',
      'input.0.content.0': 'object',
      'input.0.content.0.type': 'one of',
      'input.0.content.0.text': 'text',
      'input.1.call_id': 'text',
      'input.1.name': 'text',
      'input.1.arguments': 'text',
      'input.2.call_id': 'text',
      'input.2.output': 'text or list',
      instructions: 'text',
      tools: 'list',
      'tools.0': 'object',
      'tools.0.type': 'one of',
      'tools.0.name': 'text',
      'tools.0.parameters': 'object',
      'tools.0.strict': 'flag',
      tool_choice: 'one of',
      parallel_tool_calls: 'flag',
      max_output_tokens: 'whole',
      text: 'object',
      'text.format': 'object',
      'text.format.type': 'one of',
      'text.format.name': 'text',
      'text.format.schema': 'object',
      reasoning: 'object',
      'reasoning.effort': 'text',
      include: 'list',
      truncation: 'one of',
      top_logprobs: 'whole',
      background: 'flag',
      store: 'flag',
      previous_response_id: 'one of',
      conversation: 'one of',
    },
  ],
];

/** A copy with a value at `messages.0.role`. */
function withValue(body: unknown, path: readonly string[], value: unknown): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return value;
  const copy = (Array.isArray(body) ? [...(body as unknown[])] : { ...(body as object) }) as Record<
    string,
    unknown
  >;
  copy[name] = withValue(copy[name] ?? {}, rest, value);
  return copy;
}

describe.each(ENDPOINTS)('%s', (endpoint, body, fields) => {
  test('answers the request that is changed below', async () => {
    const { port } = await startLanguageFaces();
    expect(await ask(port, body, endpoint)).toMatchObject({ status: 200 });
  });

  test.each(Object.entries(fields))('names %s, which is no %s', async (field, kind) => {
    const { port } = await startLanguageFaces();
    const wrong = VALUES.filter(([kinds]) => !kinds.includes(kind)).map(([, value]) => value);
    const param = field.replaceAll(/\.(\d+)/g, '[$1]');
    const answers = await Promise.all(
      wrong.map(async (value) => {
        const { status, json } = await ask(port, withValue(body, field.split('.'), value) as object, endpoint); // prettier-ignore
        const { error } = json as { error?: { param: string | null } };
        return { value, status, param: error?.param };
      }),
    );
    for (const answer of answers) {
      expect([400, 404], JSON.stringify(answer)).toContain(answer.status);
      expect(answer.param, JSON.stringify(answer)).toMatch(/./);
      expect(answer.param!.startsWith(param), JSON.stringify(answer)).toBe(true);
    }
  });
});

const TOOLS = [{ type: 'function', function: { name: 'f' } }];

test.each([
  ['a model without embeddings', '/v1/embeddings', { model: 'chat', input: 'x' }, 'model'],
  ['a beginning that no provider continues', '/v1/chat/completions', { ...hello, skein_continuation: 'x' }, 'skein_continuation'], // prettier-ignore
  ['a beginning of an answer with tools', '/v1/chat/completions', { ...hello, tools: TOOLS, skein_continuation: 'x' }, 'skein_continuation'], // prettier-ignore
] as const)('names the field that the gateway refuses: %s', async (_, endpoint, body, param) => {
  const provider: Provider = {
    name: 'p',
    async *generate() {
      yield { type: 'finish', reason: 'stop' };
    },
    close: async () => {},
  };
  const models = [{ name: 'chat', routes: [{ provider: 'p', model: 'm' }], ttftMs: 60_000 }];
  const settings = LanguageSettings.parse({ models });
  const gateway = await openGateway({ settings, providers: [provider] });
  onTestFinished(() => gateway.close());
  const { port } = await startLanguageFaces({ languageModels: async () => gateway } as object);
  const { json } = await ask(port, body, endpoint);
  expect(json).toMatchObject({ error: { param, skein_code: 'GENERATION_UNSUPPORTED' } });
});

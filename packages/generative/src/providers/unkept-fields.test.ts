import { expect, it } from 'vitest';
import type { GenerateEvent, GenerateRequest } from '../contract.ts';
import { requestOf } from '../testing/calls.ts';
import { callsOf } from './one-call.ts';
import { refuseUnkept, type Support } from './unkept-fields.ts';

const LOCAL: Support = { lacks: [], google: false };
const GEMINI: Support = { lacks: ['minP', 'repetitionPenalty'], google: true };
const google = (fields: object): Partial<GenerateRequest> => ({
  extra: { extra_body: { google: fields } },
});

it.each<[string, Support, Partial<GenerateRequest>]>([
  ['logit_bias', LOCAL, { extra: { logit_bias: { 7: -100 } } }],
  ['store', GEMINI, { extra: { store: true } }],
  ['modalities', LOCAL, { extra: { modalities: ['text', 'audio'] } }],
  ['extra_body.grammar', LOCAL, { extra: { extra_body: { grammar: 'x' } } }],
  ['cachedContent', LOCAL, google({ cached_content: 'c' })],
  [
    'generationConfig.responseModalities',
    LOCAL,
    google({ generationConfig: { response_modalities: ['IMAGE'] } }),
  ],
  ['min_p', GEMINI, { sampling: { minP: 0.1 } }],
  ['repetition_penalty', GEMINI, { sampling: { repetitionPenalty: 1.1 } }],
])('refuses %s and names it', (param, support, more) => {
  expect(() => refuseUnkept('here', requestOf('m', more), support)).toThrow(
    expect.objectContaining({ code: 'GENERATION_UNSUPPORTED', param }) as Error,
  );
});

const USUAL = {
  store: false,
  modalities: ['text'],
  logit_bias: {},
  user: 'u',
  service_tier: 'flex',
};

it.each<[string, Support, Partial<GenerateRequest>]>([
  ['usual values', LOCAL, { extra: USUAL, sampling: { minP: 0.1 } }],
  ['sampling that changes nothing', GEMINI, { extra: USUAL, sampling: { minP: 0, topP: 0.5 } }],
  ['hints for Gemini', LOCAL, google({ safetySettings: [], thinkingConfig: {} })],
  ['fields of its own wire', GEMINI, google({ cachedContent: 'c' })],
])('takes %s', (_, support, more) => {
  expect(() => refuseUnkept('here', requestOf('m', more), support)).not.toThrow();
});

it('keeps the first call alone where parallel calls are not wanted', async () => {
  async function* calls(): AsyncGenerator<GenerateEvent> {
    for (const index of [0, 1, 0]) yield { type: 'tool-call', index, arguments: '{}' };
    yield { type: 'finish', reason: 'tool_calls' };
  }
  async function read(parallelToolCalls: boolean | undefined): Promise<GenerateEvent[]> {
    const events: GenerateEvent[] = [];
    const request = requestOf('m', { tools: [{ name: 'f' }], parallelToolCalls });
    for await (const event of callsOf(calls(), request)) events.push(event);
    return events;
  }
  expect(await read(undefined)).toHaveLength(4);
  expect(await read(false)).toEqual([
    { type: 'tool-call', index: 0, arguments: '{}' },
    { type: 'tool-call', index: 0, arguments: '{}' },
    { type: 'finish', reason: 'tool_calls' },
  ]);
});

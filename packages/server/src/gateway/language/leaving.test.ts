/** A client that leaves, at each step of an answer and over each face: nothing stays reserved or running. */
import { LanguageSettings } from '@skein/api';
import { type Gateway, openGateway, type Outcome, type Provider } from '@skein/generative';
import { expect, onTestFinished, test } from 'vitest';
import { raw } from '../testing/http-sockets.ts';
import { startLanguageFaces } from './testing/scripted-gateway.ts';

const GENEROUS = { timeout: 30_000, interval: 20 };
/** More than the buffers of a connection hold, so that a write of it waits for its reader. */
const LARGE = 'x'.repeat(12 * 2 ** 20);

const FACES = {
  chat: {
    path: '/v1/chat/completions',
    body: (text: string) => ({
      stream: true,
      messages: [{ role: 'user', content: text }],
      max_tokens: 10,
    }),
  },
  completions: {
    path: '/v1/completions',
    body: (text: string) => ({ stream: true, prompt: text, max_tokens: 10 }),
  },
  responses: {
    path: '/v1/responses',
    body: (text: string) => ({
      stream: true,
      input: 'Hi',
      instructions: text,
      max_output_tokens: 10,
    }),
  },
  gemini: {
    path: '/v1beta/models/chat:streamGenerateContent?alt=sse',
    body: (text: string) => ({
      contents: [{ parts: [{ text }] }],
      generationConfig: { maxOutputTokens: 10 },
    }),
  },
} as const;

/** Pauses before the event of this number, until its reader leaves. */
function pausing() {
  const state = { at: 0, size: 4, open: 0, paused: 0 };
  const provider: Provider = {
    name: 'up',
    async *generate(_, { signal }) {
      state.open += 1;
      try {
        for (let n = 0; n < 4; n++) {
          if (n === state.at) {
            state.paused += 1;
            await new Promise((_resolve, reject) => {
              signal.addEventListener('abort', () => reject(signal.reason as Error), {
                once: true,
              });
            });
          }
          yield { type: 'text', text: 'x'.repeat(state.size) };
        }
        yield { type: 'finish', reason: 'stop' };
        yield { type: 'usage', usage: { inputTokens: 3, outputTokens: 4 } };
      } finally {
        state.open -= 1;
      }
    },
    async close() {},
  };
  return { state, provider };
}

async function start(budgetTokens: number) {
  const { state, provider } = pausing();
  const outcomes: Outcome[] = [];
  const settings = LanguageSettings.parse({
    models: [
      {
        name: 'chat',
        routes: [{ provider: 'up', model: 'm' }],
        ttftMs: 60_000,
        gapMs: 60_000,
        hedge: false,
      },
    ],
    budgets: [{ subject: 'all', tokens: budgetTokens }],
  });
  const gateway: Gateway = await openGateway({
    settings,
    providers: [provider],
    observe: (outcome) => void outcomes.push(outcome),
  });
  onTestFinished(() => gateway.close());
  const { port } = await startLanguageFaces({ languageModels: async () => gateway } as object);
  /** Every request has been counted, and holds no place. */
  async function nothingIsLeft(requests: number): Promise<void> {
    await expect.poll(() => outcomes.length, GENEROUS).toBe(requests);
    await expect.poll(() => state.open, GENEROUS).toBe(0);
    const { models } = await gateway.view();
    expect(models[0]?.routes[0]).toMatchObject({ running: 0, waiting: 0 });
  }
  function ask({ path, body }: (typeof FACES)[keyof typeof FACES], text: string, more: object) {
    const client = raw(port);
    const json = JSON.stringify({ model: 'chat', ...body(text), ...more });
    client.socket.write(
      `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
    );
    return client;
  }
  return { state, outcomes, ask, nothingIsLeft };
}

test.each(Object.entries(FACES))('over %s, before and after each event', async (_, face) => {
  // Enough for one request at a time, and for what four that were cut have spent.
  const { state, outcomes, ask, nothingIsLeft } = await start(720);
  for (const [step, at] of [0, 1, 2, 3].entries()) {
    state.at = at;
    const client = ask(face, 'x'.repeat(200), {});
    await expect.poll(() => state.paused, GENEROUS).toBe(step + 1);
    client.socket.destroy();
    await nothingIsLeft(step + 1);
  }
  state.at = -1;
  const whole = ask(face, 'x'.repeat(200), {});
  await whole.until(/finish_?reason":"stop"|response\.completed/i);
  await nothingIsLeft(5);
  expect(outcomes.at(-1)).not.toHaveProperty('error');
});

test.each([
  ['an answer of its own', {}],
  ['one that others may join', { temperature: 0 }],
])('during the first write of a response: %s', async (_, more) => {
  // One request takes 12 million tokens at worst.
  const { state, ask, nothingIsLeft } = await start(20e6);
  state.at = -1;
  for (const requests of [1, 2]) {
    const client = ask(FACES.responses, LARGE, more);
    client.socket.pause();
    await expect.poll(() => state.paused + client.socket.bytesRead, GENEROUS).toBeGreaterThan(0);
    client.socket.destroy();
    await nothingIsLeft(requests);
  }
});

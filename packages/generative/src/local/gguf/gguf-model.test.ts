import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readAll as read } from '../../testing/calls.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import type { GenerateRequest } from '../../contract.ts';
import { openLocalProvider, type LocalProvider } from '../provider.ts';
import { referenceGreedy } from '../testing/reference.ts';
import {
  storiesGguf,
  storiesMissing,
  storiesVocabulary,
  storiesWeights,
} from '../testing/stories.ts';

/** The engine is no dependency of Skein: where `npm run provision` puts it. */
const PROVISIONED = '/opt/node-llama-cpp/node_modules';

function missing(): string | undefined {
  for (const place of [import.meta.url, `${PROVISIONED}/any.js`]) {
    try {
      createRequire(place).resolve('node-llama-cpp');
      return storiesMissing;
    } catch {
      // Not there.
    }
  }
  return 'node-llama-cpp is not installed';
}

const call = (signal = new AbortController().signal) => ({
  signal,
  deadline: Infinity,
  gapMs: 1000,
});
const request = (prompt: string, more: Partial<GenerateRequest> = {}): GenerateRequest => ({
  model: 'm',
  messages: [],
  prompt,
  sampling: { temperature: 0 },
  maxTokens: 30,
  stream: true,
  ...more,
});

describe.skipIf(missing() !== undefined)(`stories260K as GGUF ${missing() ?? ''}`, () => {
  const folder = testFolder();
  let provider: LocalProvider;
  beforeAll(async () => {
    // The model's process inherits it.
    vi.stubEnv('NODE_PATH', PROVISIONED);
    const path = join(folder, 'stories.gguf');
    writeFileSync(path, storiesGguf());
    provider = await openLocalProvider({ path, threads: 1, maxRows: 2 });
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await provider.close();
  });

  it('goes on with its own tokens, or a text, as if it had not been cut', async () => {
    const prompt = 'Once upon a time';
    const whole = await read(provider.generate(request(prompt, { isContinuable: true }), call()));
    const texts = whole.all.filter((event) => event.type === 'text');
    expect(texts.flatMap(({ tokens = [] }) => tokens)).toHaveLength(30);
    for (const at of [1, 7, 20]) {
      const ids = texts.slice(0, at).flatMap(({ tokens = [] }) => tokens);
      const said = texts
        .slice(0, at)
        .map(({ text }) => text)
        .join('');
      const maxTokens = 30 - ids.length;
      for (const tokens of [{ provider: 'local', ids }, undefined]) {
        const continuation = { text: said, tokens };
        const rest = await read(
          provider.generate(request(prompt, { maxTokens, continuation }), call()),
        );
        expect(said + rest.text).toBe(whole.text);
        expect(rest.all.at(-1)).toMatchObject({ usage: { outputTokens: maxTokens } });
      }
    }
    // A stop string that began before the cut.
    const ids = texts.slice(0, 7).flatMap(({ tokens = [] }) => tokens);
    const said = texts
      .slice(0, 7)
      .map(({ text }) => text)
      .join('');
    const stop = [said.slice(-2) + whole.text.slice(said.length, said.length + 2)];
    const continuation = { text: said.slice(0, -2), tokens: { provider: 'local', ids } };
    const stopped = await read(
      provider.generate(request(prompt, { maxTokens: 20, continuation, stop }), call()),
    );
    expect(stopped.text).toBe('');
  });

  it('answers as the naive forward pass, several at once, and counts the tokens', async () => {
    const vocabulary = storiesVocabulary();
    const answers = await Promise.all(
      ['Once upon a time', 'The dog', 'One day'].map(async (start) => {
        const prompt = vocabulary.encode(start, true);
        const bytes = Buffer.concat(
          referenceGreedy(storiesWeights(), prompt, 30).map((token) => vocabulary.bytes(token)),
        );
        const { all, text } = await read(provider.generate(request(start), call()));
        expect(all.at(-1)).toEqual({
          type: 'usage',
          usage: { inputTokens: prompt.length, outputTokens: 30 },
        });
        return [text, bytes.toString('utf8')];
      }),
    );
    for (const [text, expected] of answers) expect(text).toBe(expected);
  });

  it('counts the tokens of a prompt as the answer to it does', async () => {
    for (const text of ['Once upon a time', 'é 🙂\n', '']) {
      const asked = request(text, { maxTokens: 1 });
      const { all } = await read(provider.generate(asked, call()));
      const inputTokens = await provider.countTokens?.(asked, call());
      expect(inputTokens).toBeGreaterThan(0);
      expect(all.at(-1)).toMatchObject({ type: 'usage', usage: { inputTokens } });
    }
    const chat = request('', { prompt: undefined, messages: [{ role: 'user', content: [] }] });
    await expect(provider.countTokens?.(chat, call())).rejects.toMatchObject({
      code: 'GENERATION_UNSUPPORTED',
    });
  });

  it('keeps penalties of repetition, frequency and presence', async () => {
    const plain = await read(provider.generate(request('The dog'), call()));
    for (const penalty of ['repetitionPenalty', 'frequencyPenalty', 'presencePenalty'] as const) {
      const sampling = { temperature: 0, [penalty]: 2 };
      const { text } = await read(provider.generate(request('The dog', { sampling }), call()));
      expect(text).not.toBe(plain.text);
    }
  });

  it('ends at stop strings, frees cancelled sequences, and refuses a schema', async () => {
    const { text } = await read(provider.generate(request('The dog'), call()));
    const stop = text.slice(10, 14);
    const stopped = await read(provider.generate(request('The dog', { stop: [stop] }), call()));
    expect(stopped.text).toBe(text.slice(0, text.indexOf(stop)));
    for await (const event of provider.generate(request('The dog', { maxTokens: 400 }), call())) {
      if (event.type === 'text') break;
    }
    await expect.poll(async () => (await provider.state()).running, { timeout: 10_000 }).toBe(0);
    await expect(
      read(provider.generate(request('x', { format: { type: 'json' } }), call())),
    ).rejects.toMatchObject({ code: 'GENERATION_UNSUPPORTED' });
  });
});

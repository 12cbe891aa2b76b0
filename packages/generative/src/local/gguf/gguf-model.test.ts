import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readAll as read } from '../../testing/calls.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import type { GenerateEvent, GenerateRequest } from '../../contract.ts';
import { openLocalProvider, type LocalProvider } from '../provider.ts';
import { referenceGreedy } from '../testing/reference.ts';
import {
  storiesGguf,
  storiesMissing,
  storiesVocabulary,
  storiesWeights,
  writeStories,
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

  it('continues from its own tokens, or a text, as if it had not been cut', async () => {
    const prompt = 'Once upon a time';
    const whole = await read(provider.generate(request(prompt, { isContinuable: true }), call()));
    const texts = whole.all.filter((event) => event.type === 'text');
    expect(texts.flatMap(({ tokens = [] }) => tokens)).toHaveLength(30);
    for (const at of [1, 7, 20]) {
      const ids = texts.slice(0, at).flatMap(({ tokens = [] }) => tokens);
      const begun = texts
        .slice(0, at)
        .map(({ text }) => text)
        .join('');
      const maxTokens = 30 - ids.length;
      for (const tokens of [{ provider: 'local', ids }, undefined]) {
        const continuation = { text: begun, tokens };
        const rest = await read(
          provider.generate(request(prompt, { maxTokens, continuation }), call()),
        );
        expect(begun + rest.text).toBe(whole.text);
        expect(rest.all.at(-1)).toMatchObject({ usage: { outputTokens: maxTokens } });
      }
    }
    // A stop string that began before the cut.
    const ids = texts.slice(0, 7).flatMap(({ tokens = [] }) => tokens);
    const begun = texts
      .slice(0, 7)
      .map(({ text }) => text)
      .join('');
    const stop = [begun.slice(-2) + whole.text.slice(begun.length, begun.length + 2)];
    const continuation = { text: begun.slice(0, -2), tokens: { provider: 'local', ids } };
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
        expect(all.at(-1)).toMatchObject({
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

  it.each([1.2, 2])(
    'divides the logits of what has occurred, prompt included, by %s',
    async (penalty) => {
      const vocabulary = storiesVocabulary();
      const prompt = vocabulary.encode('The dog saw the big dog', true);
      const tokens = referenceGreedy(storiesWeights(), prompt, 20, penalty);
      const expected = Buffer.concat(tokens.map((token) => vocabulary.bytes(token))).toString();
      const sampling = { temperature: 0, repetitionPenalty: penalty };
      const asked = request('The dog saw the big dog', { sampling, maxTokens: 20 });
      expect((await read(provider.generate(asked, call()))).text).toBe(expected);
    },
  );

  it('keeps penalties of repetition, frequency and presence', async () => {
    const plain = await read(provider.generate(request('The dog'), call()));
    for (const penalty of ['repetitionPenalty', 'frequencyPenalty', 'presencePenalty'] as const) {
      const sampling = { temperature: 0, [penalty]: 2 };
      const { text } = await read(provider.generate(request('The dog', { sampling }), call()));
      expect(text).not.toBe(plain.text);
    }
  });

  it('ends at stop strings, and frees cancelled sequences', async () => {
    const { text } = await read(provider.generate(request('The dog'), call()));
    const stop = text.slice(10, 14);
    const stopped = await read(provider.generate(request('The dog', { stop: [stop] }), call()));
    expect(stopped.text).toBe(text.slice(0, text.indexOf(stop)));
    for (const more of [{}, { logprobs: 0 }]) {
      const asked = request('The dog', { maxTokens: 400, ...more });
      for await (const event of provider.generate(asked, call())) {
        if (event.type === 'text') break;
      }
      await expect.poll(async () => (await provider.state()).running, { timeout: 10_000 }).toBe(0);
    }
  });

  it('gives several answers, each by a seed of its own, more than there are places', async () => {
    const sampling = { temperature: 1, seed: 7 };
    for (const more of [{}, { logprobs: 0 }]) {
      const { all } = await read(
        provider.generate(request('The dog', { choices: 3, sampling, ...more }), call()),
      );
      const texts = [0, 1, 2].map((choice) =>
        all
          .filter((event) => event.type === 'text' && (event.choice ?? 0) === choice)
          .map((event) => (event.type === 'text' ? event.text : ''))
          .join(''),
      );
      for (const [i, text] of texts.entries()) {
        const alone = request('The dog', { sampling: { ...sampling, seed: 7 + i }, ...more });
        expect((await read(provider.generate(alone, call()))).text).toBe(text);
      }
      expect(new Set(texts).size).toBe(3);
      expect(all.at(-1)).toMatchObject({ usage: { outputTokens: 90 } });
    }
  });

  describe('as the same weights in ONNX', () => {
    let onnx: LocalProvider;
    beforeAll(async () => {
      const stories = join(folder, 'onnx');
      mkdirSync(stories);
      await writeStories(stories);
      onnx = await openLocalProvider({ path: stories, threads: 1, maxRows: 2 });
    });
    afterAll(async () => {
      await onnx.close();
    });
    async function both(asked: GenerateRequest) {
      const [here, there] = [provider, onnx].map((by) => read(by.generate(asked, call())));
      return { here: await here!, there: await there! };
    }
    /** Without what is drawn, and what only one of them counts. */
    const withoutIds = (events: readonly GenerateEvent[]) =>
      events.filter(({ type }) => type !== 'usage').map((event) => ({ ...event, id: undefined }));

    it('keeps a schema, JSON, and the schemas of tools', async () => {
      const schema = {
        type: 'object',
        properties: {
          name: { type: 'string', maxLength: 12 },
          age: { type: 'integer', minimum: 3, maximum: 40 },
          tags: { type: 'array', items: { enum: ['big', 'small'] }, minItems: 1, maxItems: 3 },
        },
        required: ['name', 'age', 'tags'],
        additionalProperties: false,
      };
      const tools = [
        { name: 'look', parameters: { properties: { at: { type: 'boolean' } }, required: ['at'] } },
      ];
      const asked: readonly Partial<GenerateRequest>[] = [
        { format: { type: 'schema', name: 'dog', schema } },
        { format: { type: 'json' } },
        { tools, toolChoice: 'required' },
        // One that may call, and does not.
        { tools: [{ ...tools[0]!, strict: true }] },
      ];
      for (const more of asked) {
        const { here, there } = await both(request('The dog', { maxTokens: 120, ...more }));
        expect(withoutIds(here.all)).toEqual(withoutIds(there.all));
      }
      const { text } = await read(
        provider.generate(request('The dog', { maxTokens: 120, ...asked[0] }), call()),
      );
      expect(Object.keys(JSON.parse(text) as object)).toEqual(['name', 'age', 'tags']);
    });

    it('draws the same answers of a schema by the same seeds', async () => {
      const values = ['one', 'two', 'big', 'small', 'red'];
      const schema = { type: 'object', properties: { n: { enum: values } }, required: ['n'] };
      const seen = new Set<string>();
      for (let seed = 0; seed < 10; seed++) {
        const sampling = { temperature: 1.5, seed };
        const format = { type: 'schema', name: 'x', schema } as const;
        const { here, there } = await both(request('The dog', { sampling, maxTokens: 60, format }));
        expect(here.text).toBe(there.text);
        expect(values).toContain((JSON.parse(here.text) as { n: unknown }).n);
        seen.add(here.text);
      }
      expect(seen.size).toBeGreaterThan(1);
    });

    it('gives the same probabilities', async () => {
      const { here, there } = await both(request('Once upon a time', { logprobs: 3 }));
      const scoresOf = (events: readonly GenerateEvent[]) =>
        events.flatMap((event) => (event.type === 'logprobs' ? event.tokens : []));
      expect(scoresOf(here.all)).toHaveLength(30);
      for (const [i, { token, logprob, top = [] }] of scoresOf(here.all).entries()) {
        const other = scoresOf(there.all)[i]!;
        expect(token).toBe(other.token);
        expect(logprob).toBeCloseTo(other.logprob, 2);
        expect(top.map((each) => each.token)).toEqual(other.top!.map((each) => each.token));
      }
    });
  });
});

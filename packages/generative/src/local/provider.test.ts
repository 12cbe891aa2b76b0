import { cpSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAll as read } from '../testing/calls.ts';
import type { GenerateRequest } from '../contract.ts';
import { openLocalProvider, type LocalProvider } from './provider.ts';
import { referenceGreedy } from './testing/reference.ts';
import {
  storiesMissing,
  storiesVocabulary,
  storiesWeights,
  writeStories,
} from './testing/stories.ts';

const call = (signal = new AbortController().signal) => ({
  signal,
  deadline: Number.MAX_SAFE_INTEGER,
  gapMs: 1000,
});
const request = (text: string, more: Partial<GenerateRequest> = {}): GenerateRequest => ({
  model: 'stories',
  messages: [{ role: 'user', content: [{ type: 'text', text }] }],
  sampling: { temperature: 0 },
  maxTokens: 30,
  stream: true,
  ...more,
});

describe.skipIf(storiesMissing !== undefined)(`stories260K ${storiesMissing ?? ''}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'skein-stories-'));
  let provider: LocalProvider;
  beforeAll(async () => {
    await writeStories(folder);
    provider = await openLocalProvider({ path: folder, threads: 1, maxRows: 4 });
  });
  afterAll(async () => {
    await provider.close();
    rmSync(folder, { recursive: true });
  });

  it('describes the model', () => {
    expect(provider.info).toMatchObject({
      family: 'llama',
      context: 512,
      rows: 4,
      chat: true,
      engine: 'onnxruntime',
    });
  });

  it('answers messages as the naive forward pass, and counts the tokens', async () => {
    const { all, text } = await read(provider.generate(request('Once upon a time'), call()));
    const vocabulary = storiesVocabulary();
    const prompt = vocabulary.encode('<s>Once upon a time', false);
    const expected = referenceGreedy(storiesWeights(), prompt, 30);
    const bytes = Buffer.concat(expected.map((token) => vocabulary.bytes(token)));
    expect(text).toBe(bytes.toString('utf8'));
    expect(all.slice(-2)).toMatchObject([
      { type: 'finish', reason: 'length' },
      {
        type: 'usage',
        usage: { inputTokens: prompt.length, outputTokens: 30, cachedInputTokens: 0 },
      },
    ]);
  });

  it('counts the tokens of a prompt as the answer to it does', async () => {
    const asked = request('Once upon a time', { maxTokens: 1 });
    const { all } = await read(provider.generate(asked, call()));
    const inputTokens = await provider.countTokens?.(asked, call());
    expect(inputTokens).toBeGreaterThan(4);
    expect(all.at(-1)).toMatchObject({ type: 'usage', usage: { inputTokens } });
  });

  it('gives several answers, log probabilities, and continues a text', async () => {
    const { all } = await read(
      provider.generate(
        request('', {
          messages: [],
          prompt: 'The dog',
          choices: 3,
          logprobs: 2,
          sampling: { seed: 5 },
          maxTokens: 4,
        }),
        call(),
      ),
    );
    const finished = all.filter(({ type }) => type === 'finish');
    expect(finished).toHaveLength(3);
    const scores = all.flatMap((event) => (event.type === 'logprobs' ? event.tokens : []));
    expect(scores).toHaveLength(12);
    expect(scores[0]!.top).toHaveLength(2);
    expect(all.at(-1)).toMatchObject({ type: 'usage', usage: { outputTokens: 12 } });
  });

  it('keeps a JSON schema', async () => {
    const schema = {
      type: 'object',
      properties: {
        name: { type: 'string', maxLength: 12 },
        age: { type: 'integer' },
        kind: { enum: ['dog', 'cat'] },
      },
      required: ['name', 'age', 'kind'],
      additionalProperties: false,
    };
    for (let seed = 0; seed < 5; seed++) {
      const { all, text } = await read(
        provider.generate(
          request('The dog', {
            format: { type: 'schema', name: 'pet', schema },
            maxTokens: 200,
            sampling: { seed },
          }),
          call(),
        ),
      );
      expect(all.find(({ type }) => type === 'finish')).toMatchObject({ reason: 'stop' });
      expect(JSON.parse(text)).toEqual({
        name: expect.stringMatching(/^.{0,12}$/su),
        age: expect.any(Number),
        kind: expect.stringMatching(/^(dog|cat)$/),
      });
    }
  });

  it('calls one of the tools that the client requires, with arguments of its own schema', async () => {
    const toolOf = (name: string, type: string) => ({
      name,
      parameters: {
        $defs: { x: { type } },
        properties: { x: { $ref: '#/$defs/x' } },
        required: ['x'],
      },
    });
    const tools = [toolOf('bark', 'boolean'), toolOf('count', 'integer')];
    const types: Record<string, string> = { bark: 'boolean', count: 'number' };
    const called = new Set<string>();
    for (let seed = 0; seed < 8; seed++) {
      const asked = { tools, toolChoice: 'required', maxTokens: 200, sampling: { seed } } as const;
      const { all, text } = await read(provider.generate(request('The dog', asked), call()));
      expect(text).toBe('');
      const made = all.find((event) => event.type === 'tool-call')!;
      expect(made).toMatchObject({ index: 0, id: expect.stringMatching(/^call_/) });
      const { x, ...more } = JSON.parse(made.arguments) as { x: unknown };
      expect([typeof x, more]).toEqual([types[made.name!], {}]);
      called.add(made.name!);
      expect(all.find(({ type }) => type === 'finish')).toMatchObject({ reason: 'tool_calls' });
    }
    expect([...called].toSorted()).toEqual(['bark', 'count']);
  });

  it('frees the row when the reader leaves', async () => {
    for await (const event of provider.generate(request('The dog', { maxTokens: 400 }), call())) {
      if (event.type === 'text') break;
    }
    await expect.poll(async () => (await provider.state()).running, { timeout: 10_000 }).toBe(0);
  });

  it('refuses images and tools that the template has no place for', async () => {
    const image = request('', {
      messages: [{ role: 'user', content: [{ type: 'image', url: 'data:,' }] }],
    });
    await expect(read(provider.generate(image, call()))).rejects.toMatchObject({
      code: 'GENERATION_UNSUPPORTED',
    });
    const audio = request('', {
      messages: [{ role: 'user', content: [{ type: 'other', value: { type: 'input_audio' } }] }],
    });
    await expect(read(provider.generate(audio, call()))).rejects.toMatchObject({
      message: expect.stringContaining('of type input_audio') as string,
    });
    const tools = request('The dog', { tools: [{ name: 'bark' }] });
    await expect(read(provider.generate(tools, call()))).rejects.toMatchObject({
      code: 'GENERATION_UNSUPPORTED',
    });
  });

  it('ends the streams of a killed process with an error, and answers the next request', async () => {
    const rounds = process.env['SKEIN_FULL'] === '1' ? 200 : 3;
    const alone = await read(provider.generate(request('The dog', { maxTokens: 8 }), call()));
    for (let round = 0; round < rounds; round++) {
      const { pid } = await provider.state();
      const streams = ['The dog', 'One day', 'Tim'].map(async (text) => {
        let begun = false;
        for await (const event of provider.generate(request(text, { maxTokens: 450 }), call())) {
          begun ||= event.type === 'text';
          if (begun && pid > 0) {
            try {
              process.kill(pid, 'SIGKILL');
            } catch {
              // A concurrent stream has killed the process already.
            }
          }
        }
      });
      for (const ended of await Promise.allSettled(streams)) {
        expect(ended).toMatchObject({
          status: 'rejected',
          reason: { code: expect.stringMatching(/^PROVIDER_(CUT|FAILED)$/) },
        });
      }
      const next = await read(provider.generate(request('The dog', { maxTokens: 8 }), call()));
      expect(next.text).toBe(alone.text);
      expect((await provider.state()).pid).not.toBe(pid);
    }
  }, 600_000);

  it.each<[string, (copy: string) => void, RegExp]>([
    [
      'a truncated graph',
      (copy) => truncateSync(join(copy, 'model.onnx'), 500_000),
      /corrupt|cut off|truncated|incomplete/i,
    ],
    ['no graph', (copy) => rmSync(join(copy, 'model.onnx')), /has no model\.onnx/],
    ['no tokenizer', (copy) => rmSync(join(copy, 'tokenizer.json')), /tokenizer\.json/],
    [
      'half a tokenizer',
      (copy) => truncateSync(join(copy, 'tokenizer.json'), 1000),
      /tokenizer\.json/,
    ],
    ['no config', (copy) => rmSync(join(copy, 'config.json')), /config\.json/],
    [
      'a graph of something else',
      (copy) => writeFileSync(join(copy, 'model.onnx'), 'PK\x03\x04 zip'),
      /model\.onnx/,
    ],
  ])('refuses a folder with %s', async (_, damage, message) => {
    const copy = mkdtempSync(join(tmpdir(), 'skein-damaged-'));
    try {
      cpSync(folder, copy, { recursive: true });
      damage(copy);
      await expect(openLocalProvider({ path: copy, threads: 1 })).rejects.toMatchObject({
        code: 'LANGUAGE_MODEL_INVALID',
        message: expect.stringMatching(message),
      });
    } finally {
      rmSync(copy, { recursive: true });
    }
  });
});

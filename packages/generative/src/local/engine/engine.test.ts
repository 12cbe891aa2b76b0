import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '@skein/onnx';
import { llamaModel } from '../build/llama-graph.ts';
import { readDecoder } from '../model/graph.ts';
import { storiesMissing, storiesVocabulary, storiesWeights } from '../testing/stories.ts';
import { openDecoder, type Decoder } from './decoder.ts';
import { Engine } from './engine.ts';
import type { RowEvent, RowRequest } from './row.ts';

const GREEDY = { temperature: 0, seed: 1 };
const NEVER = new AbortController().signal;

describe.skipIf(storiesMissing !== undefined)(`stories260K ${storiesMissing ?? ''}`, () => {
  let decoder: Decoder;
  const vocabulary = storiesMissing === undefined ? storiesVocabulary() : undefined!;
  const engineOf = (options: { prefixBytes?: number; maxQueued?: number } = {}): Engine =>
    new Engine({
      decoder,
      vocabulary,
      ends: new Set([2]),
      maxQueued: 64,
      prefixBytes: 0,
      ...options,
    });
  const requestOf = (text: string, maxTokens = 40): RowRequest => ({
    prompt: vocabulary.encode(text, true),
    maxTokens,
    sampling: GREEDY,
    stop: [],
  });
  async function read(
    events: AsyncIterable<RowEvent>,
  ): Promise<{ text: string; events: RowEvent[] }> {
    const all: RowEvent[] = [];
    for await (const event of events) all.push(event);
    return { text: all.map(({ text }) => text).join(''), events: all };
  }
  beforeAll(async () => {
    const { shape, weights } = storiesWeights();
    const graph = readDecoder(llamaModel(shape, weights, { weights: 'float32' }));
    decoder = await openDecoder({ graph, folder: '.', threads: 1, rows: 5, context: 256 });
  });
  afterAll(() => decoder.close());

  const STARTS = [
    'Once upon a time, there was a little girl named',
    'The dog',
    'Tim and his mom went to the park. They saw a big tree and Tim wanted to climb it. His mom smiled and',
    'One day',
    '',
    'Lily likes cake. She',
    'It was a very cold winter and the small bird could not find any food. The bird was so hungry that',
  ];

  it('answers each of many rows as alone, under random joins, leaves and cancels', async () => {
    const random = seededRandom(7);
    const alone = new Map<string, string>();
    for (const start of STARTS) {
      alone.set(start, (await read(engineOf().generate(requestOf(start), NEVER, 1000))).text);
    }
    expect(new Set(alone.values()).size).toBe(STARTS.length);
    for (let round = 0; round < 6; round++) {
      const engine = engineOf({ prefixBytes: round % 2 === 0 ? 0 : 2 ** 20 });
      let steps = 0;
      const one = async (): Promise<void> => {
        const start = STARTS[Math.floor(random.next() * STARTS.length)]!;
        const maxTokens = 1 + Math.floor(random.next() * 40);
        const cancelAfter = random.next() < 0.3 ? Math.floor(random.next() * 20) : Infinity;
        // A join after some tokens of the others.
        const joinAt = Math.floor(random.next() * 60);
        while (steps < joinAt && engine.state.running > 0) await new Promise(setImmediate);
        const cancel = new AbortController();
        let text = '';
        let tokens = 0;
        try {
          for await (const event of engine.generate(
            requestOf(start, maxTokens),
            cancel.signal,
            1,
          )) {
            text += event.text;
            steps++;
            if (++tokens > cancelAfter) cancel.abort(new Error('cancelled'));
          }
        } catch (error) {
          expect(error).toMatchObject({ message: 'cancelled' });
        }
        expect(alone.get(start)!.startsWith(text)).toBe(true);
        if (cancelAfter === Infinity && maxTokens === 40) expect(text).toBe(alone.get(start));
      };
      await Promise.all(Array.from({ length: 16 }, one));
      expect(engine.state).toMatchObject({ running: 0, queued: 0 });
    }
  });

  it('frees the row of a cancelled stream before the next step', async () => {
    const engine = engineOf();
    const cancel = new AbortController();
    const stream = engine.generate(requestOf('The dog', 200), cancel.signal, 1000);
    await stream.next();
    cancel.abort(new Error('left'));
    await expect(stream.next()).rejects.toThrow('left');
    // The step that was running may end; none begins.
    const other = await read(engine.generate(requestOf('The dog', 1), NEVER, 1000));
    expect(other.events).toHaveLength(1);
    expect(engine.state.running).toBe(0);
  });

  it('reuses prefixes without changing the answer, inside its budget', async () => {
    const engine = engineOf({ prefixBytes: 400_000 });
    const story = STARTS[2]! + STARTS[6]!;
    const first = await read(engine.generate(requestOf(story), NEVER, 1000));
    const second = await read(engine.generate(requestOf(story), NEVER, 1000));
    const longer = await read(engine.generate(requestOf(`${story} he`), NEVER, 1000));
    const fresh = await read(engineOf().generate(requestOf(`${story} he`), NEVER, 1000));
    expect(second.text).toBe(first.text);
    expect(longer.text).toBe(fresh.text);
    expect(first.events.at(-1)!.end!.cachedTokens).toBe(0);
    const prompt = requestOf(story).prompt.length;
    expect(second.events.at(-1)!.end!.cachedTokens).toBe(Math.floor((prompt - 1) / 16) * 16);
    for (const start of STARTS) await read(engine.generate(requestOf(start), NEVER, 1000));
    expect(engine.state.prefixBytes).toBeGreaterThan(0);
    expect(engine.state.prefixBytes).toBeLessThanOrEqual(400_000);
  });

  it('refuses what does not fit, and more than the queue holds', async () => {
    const long = { ...requestOf(''), prompt: Array.from({ length: 256 }, () => 5) };
    await expect(read(engineOf().generate(long, NEVER, 1000))).rejects.toMatchObject({
      code: 'CONTEXT_TOO_LONG',
    });
    const engine = engineOf({ maxQueued: 1 });
    const many = await Promise.allSettled(
      Array.from({ length: 9 }, () => read(engine.generate(requestOf('The dog', 3), NEVER, 1000))),
    );
    const refused = many.filter(({ status }) => status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]).toMatchObject({ reason: { code: 'PROVIDER_BUSY' } });
    expect(many.some(({ status }) => status === 'fulfilled')).toBe(true);
  });

  it('samples the same with the same seed, ends at stop strings, and scores tokens', async () => {
    const sampled = (seed: number): Promise<{ text: string }> =>
      read(
        engineOf().generate(
          {
            ...requestOf('The dog'),
            sampling: { temperature: 1, topK: 20, topP: 0.9, minP: 0.01, seed },
          },
          NEVER,
          1000,
        ),
      );
    const [a, b, c] = [await sampled(1), await sampled(1), await sampled(2)];
    expect(b.text).toBe(a.text);
    expect(c.text).not.toBe(a.text);
    const whole = await read(engineOf().generate(requestOf('The dog'), NEVER, 1000));
    const stop = whole.text.slice(12, 17);
    const stopped = await read(
      engineOf().generate({ ...requestOf('The dog'), stop: [stop] }, NEVER, 1000),
    );
    expect(stopped.text).toBe(whole.text.slice(0, whole.text.indexOf(stop)));
    expect(stopped.events.at(-1)!.end!.reason).toBe('stop');
    const scored = await read(
      engineOf().generate({ ...requestOf('The dog', 5), logprobs: 3 }, NEVER, 1000),
    );
    for (const { scores } of scored.events) {
      const [{ token, logprob, top }] = scores as [NonNullable<typeof scores>[0]];
      expect(top).toHaveLength(3);
      expect(top[0]).toEqual({ token, logprob });
      expect(Math.exp(logprob)).toBeLessThanOrEqual(1);
      expect(top[0]!.logprob).toBeGreaterThanOrEqual(top[1]!.logprob);
    }
  });

  const textOf = (token: number): string => new TextDecoder().decode(vocabulary.bytes(token));

  it('scores the tokens that are shown: none of a stop string, and each with its text', async () => {
    const whole = await read(engineOf().generate(requestOf('The dog'), NEVER, 1000));
    // Each stop string has several tokens, so that its first ones wait.
    for (const [from, to] of [
      [12, 17],
      [9, 20],
      [0, 3],
    ]) {
      const stop = whole.text.slice(from, to);
      const asked = { ...requestOf('The dog'), logprobs: 1 };
      for (const stops of [[stop], [`${stop}?`]]) {
        const { text, events } = await read(
          engineOf().generate({ ...asked, stop: stops }, NEVER, 1000),
        );
        let shown = '';
        let scored = '';
        for (const event of events) {
          shown += event.text;
          for (const { token } of event.scores ?? []) scored += textOf(token);
          expect(scored.startsWith(shown)).toBe(true);
        }
        const isStopped = stops.includes(stop);
        expect(text).toBe(isStopped ? whole.text.slice(0, whole.text.indexOf(stop)) : whole.text);
        // If the stop string begins inside a token, that token is shown in part.
        const last = events.flatMap(({ scores = [] }) => scores).at(-1)?.token;
        const partly = last === undefined ? 0 : textOf(last).length - 1;
        expect(scored.length - text.length).toBeLessThanOrEqual(isStopped ? partly : 0);
      }
    }
  });
});

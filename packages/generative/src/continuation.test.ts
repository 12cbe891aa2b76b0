/** Streams that are cut and continued, by upstreams with faults and by a model of this machine. */
import type { LanguageSettingsInput } from '@skein/api';
import { SkeinError } from '@skein/api';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { testFolder } from '../../../scripts/testing/folder.ts';
import type { Caller, GenerateEvent, GenerateRequest, Provider } from './contract.ts';
import { FAULTS } from './faulty-upstream/faults.ts';
import { openFaultyUpstream } from './faulty-upstream/faulty-upstream.ts';
import { SHAPE_260K, writeRandomModel } from './local/build/random-llama.ts';
import { openOnnxModel, type LocalModel } from './local/local-model.ts';
import { openLocalProvider } from './local/provider.ts';
import { callerOf, eventsOf, requestOf, textOf } from './testing/calls.ts';
import { model, open } from './testing/puppet.ts';

const WORDS = 'the quick brown fox jumps over lazy dogs';
const CUTS = ['stall', 'cut-after-content', 'truncated-200', 'error-in-stream'] as const;
type Declared = {
  readonly kind: 'openai' | 'skein' | 'gemini';
  readonly continuation?: 'prefill' | 'vllm';
};
const FORMS: readonly Declared[] = [
  { kind: 'openai', continuation: 'prefill' },
  { kind: 'openai', continuation: 'vllm' },
  { kind: 'skein' },
  { kind: 'gemini', continuation: 'prefill' },
];
const NONE: Declared = { kind: 'openai' };

async function start(
  fault: (typeof CUTS)[number],
  declared: Declared,
  { continues = true, ...settings }: { continues?: boolean } & LanguageSettingsInput = {},
) {
  const upstream = await openFaultyUpstream({ continues });
  onTestFinished(() => upstream.close());
  const wire = declared.kind === 'gemini' ? 'gemini' : 'openai';
  const price = { input: 1, output: 10 };
  const gateway = await open({
    providers: [{ name: 'up', ...declared, baseUrl: upstream.baseUrl(wire, fault) }],
    models: [
      { ...model('m'), routes: [{ provider: 'up', model: 'm', price }], gapMs: 300, hedge: false },
    ],
    ...settings,
  });
  const ask = async (caller: Partial<Caller>, more: Partial<GenerateRequest> = {}) => {
    const generation = await gateway.generate(requestOf('m', more), callerOf(caller));
    const events: GenerateEvent[] = [];
    let code: unknown;
    try {
      for await (const event of generation.events) events.push(event);
    } catch (error) {
      code = (error as SkeinError).code;
    }
    return { events, text: textOf(events), code, receipt: generation.receipt()! };
  };
  return { upstream, ask };
}

describe.each(CUTS)('an upstream with the fault %s', (fault) => {
  it.each(FORMS)('is asked to continue, where it can: %o', async (declared) => {
    const { upstream, ask } = await start(fault, declared);
    const { text, code, events, receipt } = await ask({ continues: true }, { maxTokens: 100 });
    expect([text, code]).toEqual([WORDS, undefined]);
    expect(upstream.requests).toBe(2);
    const assistant = { role: 'assistant', content: 'the quick brown ' };
    const turn = { role: 'model', parts: [{ text: 'the quick brown ' }] };
    const sent = {
      openai: {
        messages: [{ role: 'user' }, assistant],
        ...(declared.continuation === 'vllm' ? { continue_final_message: true } : {}),
      },
      skein: { skein_continuation: 'the quick brown ' },
      gemini: { contents: [{ role: 'user' }, turn] },
    };
    expect(upstream.bodies[1]).toMatchObject(sent[declared.kind]);
    const limits = upstream.bodies.map((body) => {
      const { max_tokens, generationConfig } = body as Record<string, unknown>;
      const { maxOutputTokens } = (generationConfig ?? {}) as { maxOutputTokens?: number };
      return (max_tokens as number | undefined) ?? maxOutputTokens;
    });
    expect(limits[1]!).toBeLessThan(limits[0]!);
    // The finish and the usage come once, and both parts count.
    expect(events.filter(({ type }) => type === 'start' || type === 'finish')).toHaveLength(2);
    const usage = events.findLast((event) => event.type === 'usage')!.usage;
    expect(usage.inputTokens).toBeGreaterThan(10);
    expect(usage.outputTokens).toBeGreaterThan(5);
    expect(receipt).toMatchObject({ attempts: 2, usage });
    expect(receipt.costUsd).toBeCloseTo((usage.inputTokens * 1 + usage.outputTokens * 10) / 1e6, 9);
  });

  it('ends the stream as ever where the caller has not asked, or the upstream cannot', async () => {
    const { upstream, ask } = await start(fault, FORMS[0]!);
    expect(await ask({})).toMatchObject({
      code: FAULTS[fault].streaming,
      text: 'the quick brown ',
    });
    expect(upstream.requests).toBe(1);
    const other = await start(fault, NONE);
    const cut = await other.ask({ continues: true });
    expect(cut).toMatchObject({ code: FAULTS[fault].streaming, text: 'the quick brown ' });
    expect(other.upstream.requests).toBe(1);
  });

  it('ends the stream with the error when the rest is cut as often as it is asked for', async () => {
    const { upstream, ask } = await start(fault, FORMS[0]!, { continues: false });
    const { code, text } = await ask({ continues: true });
    expect(code).toBe(FAULTS[fault].streaming);
    expect(WORDS.startsWith(text.trim())).toBe(true);
    // Until its circuit opens, and never more often than that.
    expect(upstream.requests).toBeGreaterThan(1);
    expect(upstream.requests).toBeLessThanOrEqual(4);
  });

  it.each<[string, Partial<GenerateRequest>]>([
    ['tools', { tools: [{ name: 'f' }] }],
    ['a schema', { format: { type: 'schema', name: 's', schema: {} } }],
    ['JSON', { format: { type: 'json' } }],
    ['several answers', { choices: 2 }],
    ['log probabilities', { logprobs: 1 }],
  ])('continues no answer that has %s', async (_, more) => {
    const { upstream, ask } = await start(fault, FORMS[0]!);
    expect((await ask({ continues: true }, more)).code).toBe(FAULTS[fault].streaming);
    expect(upstream.requests).toBe(1);
  });
});

/** Sends a word and is cut, at each call; `next` decides about calls that continue. */
function cutting(name: string, next: () => 'cut' | 'away' | 'whole') {
  const state = { calls: 0 };
  const provider: Provider = {
    name,
    continues: true,
    async *generate({ continuation }) {
      state.calls += 1;
      const end = continuation === undefined ? 'cut' : next();
      if (end === 'away') throw new SkeinError('PROVIDER_UNREACHABLE', 'away');
      yield { type: 'text', text: `${name} ` };
      if (end === 'cut') throw new SkeinError('PROVIDER_CUT', 'cut');
      yield { type: 'finish', reason: 'stop' };
    },
    close: async () => {},
  };
  return { provider, state };
}

it('is asked for three times at most, whatever routes are left', async () => {
  const all = ['a', 'b', 'c', 'd'].map((name) => cutting(name, () => 'cut'));
  const providers = all.map(({ provider }) => provider);
  const gateway = await open(
    { models: [{ ...model('m', 'a', 'b', 'c', 'd'), hedge: false }] },
    { providers },
  );
  const { events } = await gateway.generate(requestOf('m'), callerOf({ continues: true }));
  await expect(eventsOf({ events })).rejects.toMatchObject({ code: 'PROVIDER_CUT' });
  expect(all.reduce((sum, { state }) => sum + state.calls, 0)).toBe(4);
});

it('goes to routes of the same model only, and is not kept for the next caller', async () => {
  let next: 'away' | 'whole' = 'away';
  const [a, b] = [cutting('a', () => next), cutting('b', () => 'whole')];
  const providers = [a.provider, b.provider];
  const routes = (other: string) => [
    { provider: 'a', model: 'm' },
    { provider: 'b', model: other },
  ];
  const models = [
    { ...model('other'), routes: routes('n'), hedge: false },
    { ...model('same'), routes: routes('m'), hedge: false },
  ];
  const gateway = await open({ models }, { providers });
  const ask = async (name: string) => {
    const request = requestOf(name, { sampling: { temperature: 0 } });
    const generation = await gateway.generate(request, callerOf({ continues: true }));
    return [textOf(await eventsOf(generation)), generation.receipt()!.cache];
  };
  await expect(ask('other')).rejects.toMatchObject({ code: 'PROVIDER_CUT' });
  expect(b.state.calls).toBe(0);
  expect(await ask('same')).toEqual(['a b ', 'miss']);
  next = 'whole';
  expect((await ask('same'))[1]).toBe('miss');
});

it('is refused in a form that a kind of provider does not take', async () => {
  const declared = { kind: 'gemini', continuation: 'vllm' } as const;
  await expect(start('stall', declared)).rejects.toMatchObject({
    code: 'PROVIDER_INVALID',
    message: expect.stringContaining('prefill') as string,
  });
});

it('continues within the budget alone, and refuses to begin in the middle where no provider can', async () => {
  const tokens = { budgets: [{ subject: 'all' as const, tokens: 350 }] };
  const { upstream, ask } = await start('cut-after-content', FORMS[0]!, tokens);
  expect((await ask({ continues: true }, { maxTokens: 250 })).code).toBe('PROVIDER_CUT');
  expect(upstream.requests).toBe(1);
  const other = await start('cut-after-content', NONE);
  const continuation = { text: 'the ' };
  await expect(other.ask({}, { continuation })).rejects.toMatchObject({
    code: 'GENERATION_UNSUPPORTED',
  });
});

describe('a model of this machine', () => {
  const folder = testFolder();
  let local: LocalModel;
  beforeAll(async () => {
    await writeRandomModel(folder, SHAPE_260K, { weights: 'float32' });
    const size = { threads: 1, maxRows: 4, maxQueued: 8, cacheBytes: 2 ** 27 };
    local = await openOnnxModel({ path: folder, ...size });
  });
  afterAll(async () => {
    await local.close();
  });

  /** Cuts each answer after so many events. */
  const cutting = (at: () => number): Provider => ({
    name: 'p',
    continues: true,
    async *generate(request, { signal }) {
      let left = at();
      for await (const event of local.generate(request, signal, 60_000)) {
        if (left-- === 0) throw new SkeinError('PROVIDER_CUT', 'cut');
        yield event;
      }
    },
    close: async () => {},
  });
  const settings = { models: [{ ...model('m', 'p'), cache: false, gapMs: 60_000 }] };

  it.each<[string, Partial<GenerateRequest>]>([
    ['greedy', { sampling: { temperature: 0 } }],
    ['to a text', { sampling: { temperature: 0 }, messages: [], prompt: 'Once' }],
    [
      'with penalties',
      { sampling: { temperature: 0, repetitionPenalty: 1.3, frequencyPenalty: 1 } },
    ],
    ['by a seed', { sampling: { temperature: 1, topK: 50, seed: 7 } }],
  ])('gives the same text as without a cut, wherever it is: %s', async (_, more) => {
    /** The next answers are cut after so many events. */
    let cuts: number[] = [];
    const cut = cutting(() => cuts.shift() ?? Infinity);
    const gateway = await open(settings, { providers: [cut] });
    const ask = async (extra: Partial<GenerateRequest> = {}) => {
      const request = requestOf('m', { maxTokens: 24, ...more, ...extra });
      const events = await eventsOf(await gateway.generate(request, callerOf({ continues: true })));
      const usage = events.findLast((event) => event.type === 'usage')!.usage;
      const reason = events.findLast((event) => event.type === 'finish')!.reason;
      return { text: textOf(events), usage, reason, events: events.length };
    };
    const whole = await ask();
    expect(whole.usage.outputTokens).toBe(24);
    // In the middle of a character, and of what may be a stop string.
    const stop = [whole.text.slice(10, 13), '\u0000never'];
    const stopped = await ask({ stop });
    expect(stopped.text).toBe(whole.text.slice(0, whole.text.indexOf(stop[0]!)));
    // Two cuts before the finish and the usage.
    for (let at = 2; 2 * at < whole.events - 2; at += 3) {
      cuts = [at, at];
      const pieced = await ask();
      expect([pieced.text, pieced.reason]).toEqual([whole.text, whole.reason]);
      expect(pieced.usage.inputTokens).toBeGreaterThan(whole.usage.inputTokens);
      cuts = at < stopped.events - 2 ? [at] : [];
      expect((await ask({ stop })).text).toBe(stopped.text);
    }
  });

  it('continues after its process was killed', async () => {
    const provider = await openLocalProvider({ path: folder, threads: 1, maxRows: 2 });
    onTestFinished(() => provider.close());
    const gateway = await open(
      { models: [{ ...model('m', 'local'), cache: false, gapMs: 60_000 }] },
      { providers: [provider] },
    );
    const request = requestOf('m', { maxTokens: 200, sampling: { temperature: 0 } });
    const ask = (caller: Partial<Caller>) => gateway.generate(request, callerOf(caller));
    const whole = textOf(await eventsOf(await ask({})));
    const { pid } = await provider.state();
    const { events } = await ask({ continues: true });
    let text = '';
    for await (const event of events) {
      if (text === '') process.kill(pid, 'SIGKILL');
      if (event.type === 'text') text += event.text;
    }
    expect(text).toBe(whole);
    expect((await provider.state()).pid).not.toBe(pid);
  });
});

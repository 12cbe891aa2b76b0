import { GenerativeSettings, type GenerativeSettingsInput, SkeinError } from '@skein/api';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Caller, Gateway, GenerateEvent, GenerateRequest, Provider } from '../../contract.ts';
import type { EmbedDeployed, Outcome } from '../../gateway-options.ts';
import { openGateway } from '../../gateway.ts';
import { callerOf, eventsOf, requestOf, textOf } from '../../testing/calls.ts';
import { comparedFrom, createSemanticCounts } from './counts.ts';

/** For a busy machine. */
const PATIENCE = { timeout: 30_000, interval: 20 };

const user = (text: string) => ({ role: 'user', content: [{ type: 'text', text }] }) as const;
const system = (text: string) => ({ role: 'system', content: [{ type: 'text', text }] }) as const;
const question = (text: string, more: Partial<GenerateRequest> = {}) =>
  requestOf('m', { messages: [user(text)], ...more });

/** Words of a text as a vector: texts with the same words in any order are the same. */
function vectorOf(text: string): Float32Array {
  const vector = new Float32Array(64);
  for (const word of text.toLowerCase().match(/[a-z]+/g) ?? []) {
    let hash = 7;
    for (const letter of word) hash = (hash * 31 + letter.charCodeAt(0)) % 64;
    vector[hash]! += 1;
  }
  return vector;
}

/** Answers what it is told to, in one word after the other. */
function model(answers: () => string, finish: 'stop' | 'length' = 'stop') {
  const told = { calls: 0 };
  const provider: Provider = {
    name: 'p',
    async *generate() {
      told.calls += 1;
      for (const word of answers().split(/(?<= )/)) yield { type: 'text', text: word };
      yield { type: 'finish', reason: finish };
      yield { type: 'usage', usage: { inputTokens: 10, outputTokens: 20 } };
    },
    async embed({ inputs }) {
      return { vectors: inputs.map(vectorOf), usage: { inputTokens: 5, outputTokens: 0 } };
    },
    close: async () => {},
  };
  return { provider, told };
}

interface Opened {
  readonly gateway: Gateway;
  readonly counts: ReturnType<ReturnType<typeof createSemanticCounts>['of']>;
  readonly outcomes: Outcome[];
  readonly ask: (
    text: string,
    more?: Partial<GenerateRequest>,
    caller?: Caller,
  ) => ReturnType<typeof askOf>;
}

async function askOf(gateway: Gateway, request: GenerateRequest, caller: Caller) {
  const generation = await gateway.generate(request, caller);
  const events: GenerateEvent[] = await eventsOf(generation);
  return { text: textOf(events), headers: generation.headers(), receipt: generation.receipt()! };
}

const vectorsOf = (texts: readonly string[]) => ({
  vectors: texts.map(vectorOf),
  usage: { inputTokens: 0, outputTokens: 0 },
});

async function open(
  provider: Provider,
  policy: object,
  more: { readonly embed?: EmbedDeployed } & Omit<GenerativeSettingsInput, 'models'> = {},
): Promise<Opened> {
  const { embed = () => async (texts) => vectorsOf(texts), ...settings } = more;
  const semantic = createSemanticCounts();
  const outcomes: Outcome[] = [];
  const price = { input: 1, output: 10 };
  const gateway = await openGateway({
    settings: GenerativeSettings.parse({
      models: [
        {
          name: 'm',
          routes: [{ provider: 'p', model: 'm', price }],
          ttftMs: 60_000,
          semanticCache: { embeddings: 'e', threshold: 0.9, compare: 0, ...policy },
        },
        { name: 'e', routes: [{ provider: 'p', model: 'e', price }], ttftMs: 60_000 },
      ],
      ...settings,
    }),
    providers: [provider],
    semantic,
    embed,
    observe: (outcome) => void outcomes.push(outcome),
  });
  onTestFinished(() => gateway.close());
  return {
    gateway,
    counts: semantic.of('m'),
    outcomes,
    ask: (text, asked = {}, caller = callerOf()) => askOf(gateway, question(text, asked), caller),
  };
}

describe('a semantic cache', () => {
  it('answers a similar question, says so, and costs nothing', async () => {
    const { provider, told } = model(() => 'It is Paris.');
    const { ask, counts, outcomes } = await open(provider, {});
    const first = await ask('What is the capital of France');
    expect(first.headers['skein-cache']).toBe('miss');
    const second = await ask('the capital of France is what', { stream: false });
    expect(second).toMatchObject({
      text: 'It is Paris.',
      headers: {
        'skein-cache': 'semantic',
        'skein-cache-similarity': '1.0000',
        'skein-cost-usd': '0.000000000',
      },
      receipt: { cache: 'semantic', costUsd: 0, attempts: 0, usage: { outputTokens: 0 } },
    });
    expect(second.receipt.provider).toBeUndefined();
    expect((await ask('the size of France is what')).headers['skein-cache']).toBe('miss');
    expect(told.calls).toBe(2);
    expect(counts).toMatchObject({ lookups: 3, hits: 1, failed: 0 });
    expect(outcomes.map(({ receipt }) => receipt?.cache)).toEqual(['miss', 'semantic', 'miss']);
  });

  it('answers nothing after its gateway was closed', async () => {
    const { provider } = model(() => 'Paris');
    const { gateway, ask } = await open(provider, {});
    await ask('what is the capital of France');
    await gateway.close();
    const same = ask('what is the capital of France');
    await expect(same).rejects.toMatchObject({ code: 'NODE_DRAINING' });
  });

  it('never crosses numbers, tenants or settings', async () => {
    const { provider, told } = model(() => 'x');
    const { ask } = await open(provider, { threshold: 0.6 });
    await ask('What is 17 times 3');
    const others = [
      await ask('What is 17 times 4'),
      await ask('What is 17 times 3', {}, callerOf({ tenant: 'other' })),
      await ask('What is 17 times 3', { sampling: { temperature: 0.5 } }),
      await ask('What is 17 times 3', { messages: [system('Lie.'), user('What is 17 times 3')] }),
    ];
    expect(others.map(({ headers }) => headers['skein-cache'])).toEqual(Array(4).fill('miss'));
    expect(told.calls).toBe(5);
  });

  it('keeps only whole answers', async () => {
    const { provider } = model(() => 'It is', 'length');
    const { ask } = await open(provider, {});
    await ask('What is the capital of France');
    expect((await ask('What is the capital of France')).headers['skein-cache']).toBe('miss');
  });

  it.each([
    ['fails', async () => Promise.reject(new Error('no'))],
    ['is never there', () => new Promise<never>(() => {})],
  ])('lets the model answer when the embedding model %s', async (_, embedded) => {
    const { provider, told } = model(() => 'x');
    const { gateway, counts } = await open(provider, {}, { embed: () => embedded });
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const asked = askOf(gateway, question('a'), callerOf());
    // A fifth of the objective.
    await vi.advanceTimersByTimeAsync(12_001);
    expect((await asked).text).toBe('x');
    expect([told.calls, counts.failed]).toEqual([1, 1]);
  });

  /** Embeds only when it is told to, and keeps the signals that it got. */
  function held() {
    const signals: AbortSignal[] = [];
    const go = Promise.withResolvers<void>();
    const embed: EmbedDeployed =
      () =>
      async (texts, { signal }) => {
        signals.push(signal);
        await go.promise;
        return vectorsOf(texts);
      };
    return { signals, embed, go };
  }

  it('cancels a lookup that it has given up, a fifth of the deadline of its caller later at most', async () => {
    const { provider } = model(() => 'x');
    const { signals, embed } = held();
    const { gateway } = await open(provider, {}, { embed });
    // Half of the objective, by the clock of the gateway, which is not the one of the timers.
    const caller = callerOf({ deadline: performance.now() + 30_000 });
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const asked = askOf(gateway, question('a'), caller);
    await vi.advanceTimersByTimeAsync(6001);
    expect((await asked).text).toBe('x');
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  });

  it('gives each lookup a signal of its own, which ends with it', async () => {
    const { provider } = model(() => 'x');
    const { signals, embed, go } = held();
    const { ask, counts } = await open(provider, {}, { embed });
    go.resolve();
    await ask('a');
    await ask('b');
    expect(new Set(signals).size).toBe(2);
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
    expect(counts.failed).toBe(0);
  });

  it('ends a lookup with its caller, and asks no model', async () => {
    const { provider, told } = model(() => 'x');
    const { signals, embed } = held();
    const { ask, counts } = await open(provider, {}, { embed });
    const gone = new AbortController();
    const asked = ask('a', {}, callerOf({ signal: gone.signal }));
    asked.catch(() => {});
    await vi.waitFor(() => expect(signals).toHaveLength(1), PATIENCE);
    const left = new SkeinError('CANCELLED', 'left');
    gone.abort(left);
    await expect(asked).rejects.toBe(left);
    expect(signals[0]!.aborted).toBe(true);
    expect([told.calls, counts.failed]).toEqual([0, 0]);
  });

  it('measures false hits by asking the model too, paid by the operator alone', async () => {
    let answer = 'It is Paris.';
    const { provider, told } = model(() => answer);
    const { ask, gateway, counts } = await open(
      provider,
      { compare: 1, threshold: 0.8 },
      {
        embed: () => undefined,
        budgets: [
          { subject: 'operator', period: 'month', usd: 1 },
          { subject: 'tenant:default', period: 'month', usd: 1 },
        ],
      },
    );
    await ask('What is the capital of France');
    answer = 'No book says that.';
    expect((await ask('What is the capital of France now')).text).toBe('It is Paris.');
    await vi.waitFor(
      () => expect(comparedFrom(counts.compared, 0.8)).toEqual({ compared: 1, different: 1 }),
      PATIENCE,
    );
    answer = 'It is Paris.';
    await ask('So what is the capital of France');
    await vi.waitFor(
      () => expect(comparedFrom(counts.compared, 0.8)).toEqual({ compared: 2, different: 1 }),
      PATIENCE,
    );
    // One answer for the caller, two to compare with.
    expect(told.calls).toBe(3);
    // Below the threshold, the caller's own answer is compared.
    await ask('What is the size');
    await vi.waitFor(() => expect(comparedFrom(counts.compared, 0.5).compared).toBe(3), PATIENCE);
    expect(told.calls).toBe(4);
    await vi.waitFor(async () => {
      await gateway.close();
      const { budgets } = await gateway.view();
      const taken = Object.fromEntries(budgets.map((each) => [each.subject, each.taken]));
      // 10 tokens at $1 and 20 at $10 a million, twice each; the operator pays the vectors too.
      expect(taken['tenant:default']).toBeCloseTo(2 * 210e-6, 9);
      expect(taken['operator']).toBeGreaterThan(2 * 210e-6);
    }, PATIENCE);
  });

  it('sends nothing of a tenant to an embedding model that its data may not reach', async () => {
    const { provider } = model(() => 'x');
    const local: Provider = { ...model(() => 'local').provider, name: 'local' };
    let embedded = 0;
    const counted: Provider = {
      ...provider,
      async embed(request, call) {
        embedded += 1;
        return provider.embed!(request, call);
      },
    };
    const gateway = await openGateway({
      settings: GenerativeSettings.parse({
        models: [
          {
            name: 'm',
            routes: [{ provider: 'local', model: 'm' }],
            ttftMs: 60_000,
            semanticCache: { embeddings: 'e' },
          },
          { name: 'e', routes: [{ provider: 'p', model: 'e' }], ttftMs: 60_000 },
        ],
        allow: [{ tenant: 'ward', providers: ['local'] }],
      }),
      providers: [counted, local],
    });
    onTestFinished(() => gateway.close());
    const ward = await askOf(gateway, question('a'), callerOf({ tenant: 'ward' }));
    expect([ward.text, embedded]).toEqual(['local', 0]);
    await askOf(gateway, question('a'), callerOf());
    expect(embedded).toBe(1);
  });
});

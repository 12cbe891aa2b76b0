/** Answers that are never read: their calls end, their budgets are settled, and the observer is called once. */
import { describe, expect, it, vi } from 'vitest';
import type { Gateway, Provider } from './contract.ts';
import type { Outcome } from './gateway-options.ts';
import { redacting } from './redaction/redacting-gateway.ts';
import { callerOf, eventsOf, requestOf } from './testing/calls.ts';
import { open, puppet } from './testing/puppet.ts';

const question = { messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }] } as const;
const KINDS = {
  'of its own call': { request: {} },
  'of one call for several': { request: { sampling: { temperature: 0 } } },
  whole: { request: { stream: false } },
  'that may be continued': { request: {}, caller: { continues: true } },
  'that is redacted': { request: {}, isRedacted: true },
  'of the cache': { request: { sampling: { temperature: 0 } }, isWarm: true },
};
type Kind = {
  request: object;
  caller?: object;
  isRedacted?: boolean;
  isWarm?: boolean;
};

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });

describe.each(Object.entries<Kind>(KINDS))('an answer %s', (_, kind) => {
  async function opened() {
    const { provider, state } = puppet('p');
    let isHeld = false;
    const generate: Provider['generate'] = async function* held(request, call) {
      for await (const event of provider.generate(request, call)) {
        yield event;
        // Only one that is left ends.
        if (isHeld && request.stream && event.type === 'text') await aborted(call.signal);
      }
    };
    const outcomes: Outcome[] = [];
    const price = { input: 1, output: 1 };
    const core = await open(
      {
        models: [
          {
            name: 'm',
            routes: [{ provider: 'p', model: 'm', price }],
            ttftMs: 60_000,
            gapMs: 600_000,
          },
        ],
        budgets: [{ subject: 'all', tokens: 1_000_000 }],
      },
      {
        providers: [{ ...provider, generate }],
        observe: (outcome) => outcomes.push(outcome),
      },
    );
    const redaction = { name: 'r', pattern: 'x', of: 'both', ignoreCase: false } as const;
    const gateway: Gateway = kind.isRedacted === true ? redacting([redaction])(core) : core;
    const ask = (more: object = {}) =>
      gateway.generate(
        requestOf('m', { ...question, ...kind.request }),
        callerOf({ ...kind.caller, ...more }),
      );
    if (kind.isWarm === true) await eventsOf(await ask());
    outcomes.splice(0);
    isHeld = kind.isWarm !== true && !('stream' in kind.request);
    const idle = async () => {
      const running = (await gateway.view()).models[0]!.routes[0]!.running;
      expect([running, state.open]).toEqual([0, 0]);
    };
    return { ask, outcomes, idle };
  }

  it('ends when its reader leaves before the first event', async () => {
    const { ask, outcomes, idle } = await opened();
    const answer = await ask();
    const { events } = answer;
    const iterator = events[Symbol.asyncIterator]();
    await iterator.return?.();
    expect(outcomes).toMatchObject([{ model: 'm', error: 'CANCELLED' }]);
    expect(answer.receipt()).toMatchObject({ model: 'm' });
    expect(await iterator.next()).toMatchObject({ done: true });
    expect(outcomes).toHaveLength(1);
    await vi.waitFor(idle, { timeout: 30_000 });
  });

  it('ends when its caller goes before it reads, and is never read as a whole one then', async () => {
    const { ask, outcomes, idle } = await opened();
    const gone = new AbortController();
    const { events } = await ask({ signal: gone.signal });
    const left = new Error('left');
    gone.abort(left);
    expect(outcomes).toHaveLength(1);
    expect(outcomes[0]!.error).toBeDefined();
    await vi.waitFor(idle, { timeout: 30_000 });
    const isStream = !('stream' in kind.request) && kind.isWarm !== true;
    if (isStream) await expect(eventsOf({ events })).rejects.toBe(left);
    expect(outcomes).toHaveLength(1);
  });
});

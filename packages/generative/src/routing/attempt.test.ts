import { describe, expect, it } from 'vitest';
import type { GenerateEvent, Provider } from '../contract.ts';
import { requestOf } from '../testing/calls.ts';
import { startAttempt } from './attempt.ts';

const text = (choice: number): GenerateEvent => ({ type: 'text', text: 'x', choice });
const finish = (choice: number): GenerateEvent => ({ type: 'finish', reason: 'stop', choice });

/** How an attempt at two answers ends whose provider sends these events. */
async function outcomeOf(events: readonly GenerateEvent[]): Promise<unknown> {
  const provider: Provider = {
    name: 'p',
    async *generate() {
      yield* events;
    },
    close: async () => {},
  };
  const { signal } = new AbortController();
  const bounds = { signal, firstMs: 60_000, gapMs: 60_000, promptTokens: 1, clock: performance };
  const attempt = startAttempt(provider, requestOf('m', { choices: 2 }), bounds);
  try {
    const all = [...(await attempt.head)];
    for await (const event of attempt.rest()) all.push(event);
    return all.length;
  } catch (error) {
    return error;
  }
}

describe('an answer with two choices', () => {
  it('is whole with a finish for each of them', async () => {
    expect(await outcomeOf([text(0), finish(0), text(1), finish(1)])).toBe(4);
  });

  it.each([
    ['one choice never came', [text(0), finish(0)]],
    ['one finish came twice', [text(0), finish(0), finish(0)]],
    ['one choice went on after its finish', [finish(0), finish(1), text(1)]],
  ])('is cut when %s', async (_, events) => {
    expect(await outcomeOf(events)).toMatchObject({ code: 'PROVIDER_CUT' });
  });

  it('fails when the provider sends one that was not asked for', async () => {
    const error = await outcomeOf([text(0), text(4_000_000_000), finish(0), finish(1)]);
    expect(error).toMatchObject({
      code: 'PROVIDER_FAILED',
      message: expect.stringContaining('answer 4000000000, of 2'),
    });
  });
});

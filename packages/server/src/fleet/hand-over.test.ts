/** Members of a store, whose renewals the test makes. */
import { type Member, openSqliteState, type State } from '@skein/state';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isHandedOver } from './hand-over.ts';
import { memberInfo } from './testing/member-info.ts';

let state: State;
beforeEach(async () => {
  state = await openSqliteState(':memory:');
});
afterEach(() => state.close());

async function join(name: string, version = '1') {
  let holds = true;
  const info = () => memberInfo(name, holds ? [{ model: 'risk', version, digest: 'd' }] : []);
  const joined = await state.members.join(info(), 60_000);
  return {
    incarnation: joined.incarnation,
    publish: async () => void (await joined.renew(info())),
    read: (): Promise<readonly Member[]> => state.members.list(),
    giveUp: () => (holds = false),
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

/** Renews again and again, until the promise resolves. */
async function renewing<T>(publish: () => Promise<unknown>, until: Promise<T>): Promise<T> {
  let isOver = false;
  void until.finally(() => (isOver = true));
  while (!isOver) {
    await publish();
    await turn();
  }
  return until;
}

test('a copy is handed over once every other member has renewed, if one of them holds it', async () => {
  const [a, b, c] = [await join('a'), await join('b'), await join('c')];
  a.giveUp();
  const ending = new AbortController();
  let reads = 0;
  const counting = { ...a, read: () => (reads++, a.read()) };
  const early = isHandedOver(counting, 'risk', ['1'], ending.signal);
  // One of the two others is not enough, however often it renews.
  while (reads < 5) {
    await b.publish();
    await turn();
  }
  ending.abort();
  expect(await early).toBe(false);
  const both = (): Promise<unknown> => Promise.all([b.publish(), c.publish()]);
  const { signal } = new AbortController();
  expect(await renewing(both, isHandedOver(a, 'risk', ['1'], signal))).toBe(true);
});

test('a version that no other member has loaded is not handed over', async () => {
  const [a, b] = [await join('a', '2'), await join('b', '1')];
  a.giveUp();
  const { signal } = new AbortController();
  const both = (): Promise<unknown> => Promise.all([a.publish(), b.publish()]);
  expect(await renewing(both, isHandedOver(a, 'risk', ['2'], signal))).toBe(false);
  expect(await renewing(both, isHandedOver(a, 'risk', ['1'], signal))).toBe(true);
  // A version that is not wanted any more goes with any other copy.
  expect(await renewing(both, isHandedOver(a, 'risk', [], signal))).toBe(true);
});

test.each([0, 1, 5, 20])(
  'of two members that give their copies up, the second %i renewals later, one keeps it',
  async (later) => {
    const [a, b] = [await join('a'), await join('b')];
    const { signal } = new AbortController();
    const both = (): Promise<unknown> => Promise.all([a.publish(), b.publish()]);
    a.giveUp();
    const first = isHandedOver(a, 'risk', ['1'], signal);
    for (let i = 0; i < later; i++) {
      await both();
      await turn();
    }
    b.giveUp();
    const outcomes = await renewing(
      both,
      Promise.all([first, isHandedOver(b, 'risk', ['1'], signal)]),
    );
    expect(outcomes.filter(Boolean).length).toBeLessThanOrEqual(1);
  },
);

test('a copy stays while the store is away, and when the node ends', async () => {
  const a = await join('a');
  a.giveUp();
  const away = { ...a, read: () => Promise.reject(new Error('The store is away.')) };
  const ending = new AbortController();
  const outcome = isHandedOver(away, 'risk', ['1'], ending.signal);
  ending.abort();
  expect(await outcome).toBe(false);
});

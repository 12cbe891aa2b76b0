import { expect, it } from 'vitest';
import {
  accusationText,
  accusedIn,
  connectedOf,
  roundsOf,
  spentLines,
  waitingFor,
} from './rounds.ts';

const entries = (
  [
    [0, { kind: 'started', terms: {} }],
    [1, { kind: 'accepted', site: 'site-a' }],
    [2, { kind: 'opened', round: 0, attempt: 0, roster: ['a', 'b', 'c'] }],
    [3, { kind: 'charged', round: 0, spent: spent(0.2, 0.3) }],
    [4, { kind: 'aborted', round: 0, attempt: 0, reason: '1 of 3 answered.' }],
    [5, { kind: 'opened', round: 0, attempt: 1, roster: ['a', 'b'] }],
    [6, { kind: 'charged', round: 0, spent: spent(0.4, 0.6) }],
    [8, { kind: 'finished-round', round: 0, attempt: 1, survivors: ['a', 'b'] }],
    [9, { kind: 'opened', round: 1, attempt: 0, roster: ['a', 'b', 'c'] }],
  ] as const
).map(([second, event], sequence) => ({
  sequence,
  at: new Date(1000 * second).toISOString(),
  hash: '',
  event,
}));

function spent(...epsilons: number[]) {
  return epsilons.map((epsilon, colluding) => ({ colluding, epsilon }));
}

it('counts the attempts of a round as one, with the time of the last', () => {
  expect(roundsOf(entries)).toEqual([
    {
      number: 1,
      state: 'done',
      asked: 2,
      summed: 2,
      aborts: ['1 of 3 answered.'],
      tookMs: 3000,
      spent: spent(0.4, 0.6),
    },
    {
      number: 2,
      state: 'under way',
      asked: 3,
      summed: undefined,
      aborts: [],
      tookMs: undefined,
      spent: [],
    },
  ]);
});

it('draws ε for each number of colluding sites, with what an aborted attempt has spent', () => {
  expect(spentLines(roundsOf(entries)).map(({ label, points }) => [label, points])).toEqual([
    [
      'ε spent',
      [
        [0, 0],
        [1, 0.4],
      ],
    ],
    [
      'ε with 1 colluding',
      [
        [0, 0],
        [1, 0.6],
      ],
    ],
  ]);
});

it('names each site that others accuse, and that the coordinator has found to lie', () => {
  const accused = [
    { kind: 'accused', by: 'a', sites: ['d'] },
    { kind: 'accused', by: 'b', sites: ['d', 'e'] },
    { kind: 'accused', by: 'a', sites: ['d'] },
    { kind: 'accused', sites: ['e'] },
  ].map((event, sequence) => ({ sequence, at: '', hash: '', event }));
  const found = [...accusedIn(accused)].map(([site, each]) => [site, accusationText(each)]);
  expect(found).toEqual([
    ['d', 'accused of false shares by 2 sites'],
    ['e', 'gave false shares of its secrets'],
  ]);
});

it('names the parties that the first round waits for', () => {
  const given = (sites: number, helpers: number) =>
    waitingFor({
      plan: { sites: { minimum: 2 }, aggregation: { helpers: [{}, {}] } },
      sites: [
        ...Array.from({ length: sites }, () => ({ role: 'site', connected: true })),
        ...Array.from({ length: helpers }, () => ({ role: 'helper', connected: true })),
        { role: 'site', connected: false },
        { role: 'helper', connected: false },
      ],
    } as unknown as Parameters<typeof waitingFor>[0]);
  expect([given(1, 2), given(2, 1), given(0, 0), given(2, 2)]).toEqual([
    'No round has begun: it waits for sites (1 of 2 are connected).',
    'No round has begun: it waits for helpers (1 of 2 are connected).',
    'No round has begun: it waits for sites (0 of 2 are connected) and helpers (0 of 2 are connected).',
    'No round has begun.',
  ]);
});

const site = (more: object) => ({
  role: 'site',
  accepted: true,
  waiting: false,
  connected: true,
  ...more,
});
const sitesOf = (status: string, ...sites: object[]) =>
  connectedOf({ status, sites } as unknown as Parameters<typeof connectedOf>[0]);

it('counts sites that have accepted the plan, not those that have only opened their link', () => {
  const sites = [
    site({}),
    site({ connected: false }),
    site({ accepted: false, connected: false }),
    site({ revokedAt: '2026-01-01T00:00:00Z' }),
    site({ role: 'helper' }),
  ];
  expect(sitesOf('running', ...sites)).toBe('1 of 2 connected');
  expect(sitesOf('finished', ...sites)).toBe('2');
});

it('names sites that were refused for the maximum', () => {
  const waiting = site({ accepted: false, waiting: true, connected: false });
  expect(sitesOf('running', site({}), waiting)).toBe('1 of 1 connected, 1 more than its maximum');
});

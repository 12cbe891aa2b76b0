/**
 * Twenty traces of traffic for a simulated version, each with the costs of its runs: what the
 * constants of `tuning.ts` are judged by. A trace is the same in every run.
 */
import { seededRandom } from '@skein/onnx';
import { capacityOf, COSTS } from './costs.ts';
import { poisson, type Arrival, type Outcome, type SimulationOptions } from './simulation.ts';

export interface Trace {
  readonly name: string;
  readonly make: () => {
    readonly arrivals: readonly Arrival[];
    readonly options: SimulationOptions;
  };
}

const OBJECTIVE_MS = 250;
const EVEN = COSTS['an even mix']!;
const CAPACITY = capacityOf(EVEN, OBJECTIVE_MS);

interface Shape {
  /** Offered load as a multiple of the capacity, over time in milliseconds. */
  readonly load: number | ((at: number) => number);
  readonly cost?: (rows: number, lane: string, now: number, random: () => number) => number;
  /** Rows per millisecond that the server can do at best. */
  readonly capacity?: number;
  readonly arrival?: (random: () => number) => Partial<Arrival>;
  readonly options?: Partial<SimulationOptions>;
}

/** Poisson arrivals whose rate follows the load. */
function open(name: string, shape: Shape): Trace {
  return {
    name,
    make() {
      const { load, cost = EVEN, capacity = CAPACITY, arrival, options } = shape;
      const arrivals = seededRandom(name.length);
      const runs = seededRandom(name.length + 1);
      const next = (): number => arrivals.next();
      const rate = typeof load === 'number' ? () => load : load;
      const most = Math.max(...Array.from({ length: 100 }, (_, i) => rate((i * SPAN_MS) / 100)));
      const durationMs = Math.min(SPAN_MS, REQUESTS / (most * capacity));
      return {
        arrivals: poisson(next, most * capacity, durationMs, (at) => ({
          at: at + 1,
          budgetMs: OBJECTIVE_MS,
          ...arrival?.(next),
        })).filter(({ at }) => next() * most < rate(at)),
        options: {
          objectiveMs: OBJECTIVE_MS,
          ...options,
          cost: (rows, lane, now) => cost(rows, lane, now, () => runs.next()),
        },
      };
    },
  };
}

/** Length of a trace, in milliseconds and in requests. */
const SPAN_MS = 8_000;
const REQUESTS = 2_500;

/** Sixteen connections; each sends its next request after an answer or a refusal. */
function closed(name: string, cost: NonNullable<Shape['cost']>, untilMs: number): Trace {
  return {
    name,
    make() {
      const random = seededRandom(name.length);
      const again = ({ finishedAt, retryAfterMs = 0 }: Outcome): Arrival | undefined =>
        finishedAt < untilMs
          ? { at: finishedAt + retryAfterMs + 0.1 + random.next(), budgetMs: 500 }
          : undefined;
      return {
        arrivals: Array.from({ length: 16 }, (_, i) => ({ at: 1 + i, budgetMs: 500 })),
        options: {
          objectiveMs: 500,
          onEnd: again,
          cost: (rows, lane, now) => cost(rows, lane, now, () => random.next()),
        },
      };
    },
  };
}

function gauss(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

const pick = <Item>(random: () => number, items: readonly Item[]): Item =>
  items[Math.floor(random() * items.length)]!;

const noisy = (spread: number, random: () => number): number => Math.exp(spread * gauss(random));

export const TRACES: readonly Trace[] = [
  open('steady, half load', { load: 0.5 }),
  open('steady, 90 %', {
    load: 0.9,
    cost: (rows, _l, _n, random) => EVEN(rows) * noisy(0.1, random),
  }),
  open('overload', { load: 3, cost: (rows, _l, _n, random) => EVEN(rows) * noisy(0.1, random) }),
  open('overload, cheap rows', {
    load: 2,
    cost: COSTS['cheap rows']!,
    capacity: capacityOf(COSTS['cheap rows']!, OBJECTIVE_MS),
  }),
  open('overload, dear rows', {
    load: 3,
    cost: (rows, _l, _n, random) => COSTS['dear rows']!(rows) * noisy(0.2, random),
    capacity: capacityOf(COSTS['dear rows']!, OBJECTIVE_MS),
  }),
  open('overload, fixed cost', {
    load: 3,
    cost: COSTS['a high fixed cost']!,
    capacity: capacityOf(COSTS['a high fixed cost']!, OBJECTIVE_MS),
  }),
  open('bursty', { load: (at) => (at % 1_000 < 200 ? 4 : 0.3) }),
  open('diurnal', { load: (at) => 0.9 + 0.8 * Math.sin((2 * Math.PI * at) / SPAN_MS) }),
  open('heavy-tailed runs', {
    load: 1.2,
    cost: (rows, _l, _n, random) => EVEN(rows) * (random() < 0.1 ? 10 : 1),
    capacity: CAPACITY / 1.9,
  }),
  open('runs that vary by 30 %', {
    load: 2,
    cost: (rows, _l, _n, random) => EVEN(rows) * noisy(0.3, random),
  }),
  open('heavy-tailed rows', {
    load: 1,
    capacity: CAPACITY / 2.5,
    arrival: (random) => ({ rows: Math.min(64, Math.ceil(random() ** -0.8)) }),
  }),
  open('free sizes', {
    load: 0.8,
    capacity: CAPACITY / 4,
    cost: (rows, lane) => 4 + 2 * rows * 2 ** 'abcdef'.indexOf(lane),
    arrival: (random) => ({ lane: pick(random, ['a', 'a', 'a', 'b', 'b', 'c', 'd', 'e']) }),
    options: {
      lanes: ['a'],
      elements: { a: [64], b: [512], c: [4_096], d: [32_768], e: [1e6] },
    },
  }),
  open('slow machine', {
    load: 1,
    cost: (rows, _l, now) => EVEN(rows) * (now > 2_000 && now < 5_000 ? 5 : 1),
  }),
  open('antagonist', {
    load: 1.5,
    cost: (rows, _l, now, random) =>
      (4 + 20 * rows) * (now % 500 < 250 ? 1.4 : 1) * noisy(0.05, random),
    capacity: 1 / 29,
    arrival: () => ({}),
  }),
  open('stalls', {
    load: 0.8,
    cost: (rows, _l, _n, random) => EVEN(rows) + (random() < 0.02 ? 60 * random() : 0),
  }),
  open('cold start', { load: 1.5, options: { seed: false } }),
  open('warmed under load', {
    load: 0.5,
    cost: (rows, _l, now) => EVEN(rows) * (now === 0 ? 60 : 1),
  }),
  open('dearer than warming', {
    load: 2,
    cost: (rows, _l, now) => (0.2 + 0.2 * rows) * (now === 0 ? 1 : 20),
    capacity: 8 / 36,
  }),
  open('tenants and levels', {
    load: 2.5,
    arrival: (random) => ({
      tenant: pick(random, ['flood', 'flood', 'flood', 'flood', 'b', 'c']),
      level: pick(random, [1, 3, 3, 5]),
      budgetMs: OBJECTIVE_MS * pick(random, [0.5, 1, 2, 10]),
    }),
    options: { replicas: 2, weights: { c: 3 } },
  }),
  closed(
    'closed loop, stalls',
    (rows, _l, now, random) =>
      (0.45 + 0.02 * rows) * (now % 400 < 40 ? 1 + 30 * random() : noisy(0.1, random)),
    1_200,
  ),
  closed(
    'closed loop, best size changes',
    (rows, _l, now, random) =>
      (now < 2_000 ? 20 + rows : rows === 1 ? 10 : 12.5 * rows) * noisy(0.05, random),
    12_000,
  ),
];

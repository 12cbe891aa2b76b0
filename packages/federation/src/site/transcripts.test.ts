/** The messages of a site, and their times, are a function of public values: 1,000 crafted questions to neighbouring data sets. */
import { fromHex, sha256 } from '@skein/api/canonical';
import { seededRandom } from '@skein/onnx';
import { residueBits, residueCount } from '@skein/train/federated';
import {
  type AggregationContext,
  EXCHANGES,
  joined,
  ServerRound,
  signerOf,
  SiteRound,
} from '@skein/train/secure-aggregation';
import { expect, it } from 'vitest';
import { keysOfHelper, openHelperMemory } from '../helper/index.ts';
import { encodingOf, sumNumber } from '../plan/encoding.ts';
import type { Plan } from '../plan/plan.ts';
import {
  crossedPlan,
  DIGEST,
  distance,
  placeOf,
  publicPart,
  type Question,
  RUN,
  type Sent,
  type Side,
  sidesOf,
} from './testing/transcripts.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** Most are alike, so that their sum is longer than what one patient may change. */
const rowsWith = (patient: string): string => {
  const others = [40, 44, 48, 52, 56, 60, 64].map((age, i) => `${age},1,${120 + i},1\n`);
  return `age,sex,pressure,disease\n${others.join('')}50,0,130,0\n${patient}\n`;
};
/** One patient of another age, pressure and diagnosis. */
const NEIGHBOURS = [rowsWith('31,1,150,0'), rowsWith('83,0,95,1')];
/** Questions that crafted parameters ask with each aggregation. */
const QUESTIONS = 500;
/** After so many, the sites are new: their accounts of what is spent stay small. */
const TURN = 50;
/** For a busy machine, in milliseconds. */
const LONG = 300_000;

interface Crafted {
  readonly broadcast: Bytes;
  /** Changes the other fields of one phase. */
  readonly spoil?: { readonly phase: string; change(question: Question): Question };
}

type Random = ReturnType<typeof seededRandom>;

const MOST = 3.4e38;
const inFloat32 = (number: number): number => Math.max(-MOST, Math.min(MOST, number));
const signed = (random: Random): number => (random.next() < 0.5 ? -1 : 1) * 3.4 ** random.next();

/** Numbers of any size, alike or not. */
function ofAnySize(random: Random, parameters: number): Float32Array<ArrayBuffer> {
  const [top, isEven] = [pick(random, [0, 3, 10, 19, 25, 30, 38]), random.next() < 0.5];
  return Float32Array.from({ length: parameters }, () =>
    inFloat32(signed(random) * 10 ** (isEven ? top : top * random.next())),
  );
}

/**
 * Overflows on one side of a plane between patients: each hidden unit is 0 on the other side of it.
 * @param parameters of [inputs, 3, 1].
 */
function aimed(random: Random, parameters: number): Float32Array<ArrayBuffer> {
  const inputs = (parameters - 7) / 3;
  const [first, second] = [10 ** (20 * random.next()), 10 ** (20 + 18 * random.next())];
  const weights: number[] = [];
  const biases: number[] = [];
  for (let unit = 0; unit < 3; unit += 1) {
    const own = Array.from({ length: inputs }, () => first * signed(random) * random.next());
    weights.push(...own);
    biases.push(-own.reduce((sum, each) => sum + each * random.next(), 0));
  }
  const last = Array.from({ length: 4 }, () => second * signed(random));
  return Float32Array.from([...weights, ...biases, ...last], inFloat32);
}

const pick = <T>(random: Random, list: readonly T[]): T =>
  list[Math.floor(random.next() * list.length)]!;

/** Finite parameters for the most part. */
function crafted(random: Random, parameters: number, phases: readonly string[]): Crafted {
  const numbers = (random.next() < 0.7 ? aimed : ofAnySize)(random, parameters);
  const kind = random.next();
  if (kind < 0.1)
    numbers[Math.floor(random.next() * parameters)] = pick(random, [NaN, Infinity, -Infinity]);
  const whole = new Uint8Array(numbers.buffer);
  if (kind > 0.95) return { broadcast: whole.slice(0, pick(random, [0, 4, whole.length - 4, 7])) };
  if (kind < 0.9) return { broadcast: whole };
  const [phase, place] = [pick(random, phases), random.next()];
  const change = ({ payload, fields, ...rest }: Question): Question => {
    if (payload === undefined || payload.length === 0) return { ...rest, fields: {}, payload };
    const flipped = payload.slice();
    flipped[Math.floor(place * payload.length)]! ^= 1;
    return { ...rest, fields, payload: flipped };
  };
  return { broadcast: whole, spoil: { phase, change } };
}

interface Found {
  questions: number;
  refused: number;
  /** Updates that differ between the data sets once masks and noise are the same. */
  apart: number;
}

interface Setting {
  readonly plan: Plan;
  readonly sides: readonly Side[];
  readonly found: Found;
}

/** Asks both sites. @returns the answer of the first. */
async function askBoth({ plan, sides, found }: Setting, question: Question): Promise<Sent> {
  found.questions += 1;
  const [a, b] = [
    await sides[0]!.ask(question, found.questions),
    await sides[1]!.ask(question, found.questions),
  ];
  expect(publicPart(b)).toEqual(publicPart(a));
  if (a.answer === undefined) {
    found.refused += 1;
    expect([a.runs, a.refused!.code]).toEqual([0, expect.not.stringMatching('INTERNAL')]);
  } else if (question.place.phase === 'input') {
    // A row, or a site, is replaced by another one: twice the norm, and what rounding adds.
    const clip = plan.privacy.mode === 'none' ? NaN : plan.privacy.clip;
    const apart = distance(plan, [a.answer, b.answer!]);
    expect(apart).toBeLessThan(2.01 * clip);
    if (apart > 0.1 * clip) found.apart += 1;
  }
  return a;
}

/** All exchanges of an attempt, with two other sites. */
async function attempt(
  setting: Setting & { readonly key: string; readonly round: number },
  { broadcast, spoil }: Crafted,
): Promise<void> {
  const { plan, key, round } = setting;
  const peers = await Promise.all([1, 2].map(() => signerOf()));
  const roster = [fromHex(key), ...peers.map(({ publicKey }) => publicKey)];
  const encoding = encodingOf(plan, plan.model.parameters);
  const context: AggregationContext = {
    run: RUN,
    round: sumNumber(round, 0),
    plan: fromHex(DIGEST),
    base: fromHex(await sha256(broadcast)),
    roster,
    fewest: plan.sites.threshold,
    length: residueCount(encoding),
    bits: residueBits(encoding),
  };
  const server = await ServerRound.begin(context);
  const others = await Promise.all(
    peers.map((peer) => SiteRound.begin(context, peer, { after: -1 })),
  );
  const hex = roster.map((each) => Buffer.from(each).toString('hex'));
  let delivered: (site: number) => Bytes = () => new Uint8Array(0);
  for (const exchange of EXCHANGES) {
    const delivery = delivered(0);
    const isInput = exchange === 'input';
    const question: Question = {
      place: placeOf(round, exchange),
      fields: exchange === 'keys' ? { roster: hex } : isInput ? { delivery: delivery.length } : {},
      payload: isInput ? joined([broadcast, delivery]) : delivery,
    };
    const asked = spoil?.phase === exchange ? spoil.change(question) : question;
    const { answer } = await askBoth(setting, asked);
    if (answer === undefined) return;
    const payload = answer.payload!;
    const [head = payload.length] = (answer.header.fields['lengths'] ?? []) as number[];
    // The sites use what was flipped, and the others do not.
    if (asked !== question) return;
    await server.accept(exchange, 0, payload.subarray(0, head));
    if (isInput) await server.acceptUpdate(0, () => payload.subarray(head));
    for (const [i, other] of others.entries()) {
      const received = delivered(i + 1);
      if (isInput) {
        const masked = await other.mask(new Uint32Array(context.length), received);
        await server.accept(exchange, i + 1, masked.head);
        await server.acceptUpdate(i + 1, (chunk) => masked.chunks[chunk]!);
        continue;
      }
      const by = {
        keys: () => other.advertise(),
        shares: () => other.share(received),
        consistency: () => other.sign(received),
        unmasking: () => other.unmask(received),
      };
      await server.accept(exchange, i + 1, await by[exchange]());
    }
    if (exchange === 'unmasking') return;
    const deliveries = await server.close();
    delivered = (site) => deliveries.get(site)!;
  }
}

it(
  'sends the same of neighbouring rows in each exchange with pairwise masks, but for masks and noise',
  { timeout: LONG },
  async () => {
    const terms = {
      rounds: TURN,
      privacy: { mode: 'patient', noise: 20, denominator: 10, epsilon: 1e6, delta: 1e-3 },
      aggregation: { kind: 'pairwise' },
      sites: { minimum: 3 },
    } as const;
    const plans = [await crossedPlan(terms, true), await crossedPlan(terms, false)] as const;
    const random = seededRandom(35);
    const found: Found = { questions: 0, refused: 0, apart: 0 };
    for (let at = 0; at < QUESTIONS; at += TURN) {
      const crossed = plans[(at / TURN) % 2]!;
      const { plan } = crossed;
      const { identity, sides } = await sidesOf(crossed, NEIGHBOURS);
      for (let round = 0; round < TURN; round += 1) {
        const question = crafted(random, plan.model.parameters, EXCHANGES);
        await attempt({ plan, sides, found, key: identity.key, round }, question);
      }
      // An answered attempt is charged, and a site that refused has not read a row.
      const answered = await Promise.all(
        sides.map(({ memory }) => memory.attemptsOf(RUN, 'input')),
      );
      expect(answered[0]).toBe(answered[1]);
      await Promise.all(sides.map(({ memory }) => memory.close()));
    }
    expect(found.refused).toBeGreaterThan(50);
    expect(found.apart).toBeGreaterThan(50);
  },
);

it(
  'sends the same of neighbouring rows where it counts them, but for masks and noise',
  { timeout: LONG },
  async () => {
    const terms = {
      rounds: 1,
      strategy: {
        name: 'statistics',
        tables: [[{ kind: 'score' }, { kind: 'label' }, { kind: 'column', name: 'age' }]],
        bySite: true,
      },
      privacy: { mode: 'patient', noise: 20, epsilon: 1e6, delta: 1e-3 },
      aggregation: { kind: 'pairwise' },
      sites: { minimum: 3, maximum: 3 },
    } as const;
    const crossed = await crossedPlan(terms as never, true);
    const { plan } = crossed;
    const random = seededRandom(37);
    const found: Found = { questions: 0, refused: 0, apart: 0 };
    for (let at = 0; at < TURN; at += 1) {
      const { identity, sides } = await sidesOf(crossed, NEIGHBOURS);
      const question = crafted(random, plan.model.parameters, EXCHANGES);
      await attempt({ plan, sides, found, key: identity.key, round: 0 }, question);
      await Promise.all(sides.map(({ memory }) => memory.close()));
    }
    expect(found.refused).toBeGreaterThan(3);
    expect(found.apart).toBeGreaterThan(10);
  },
);

it(
  'sends the same of neighbouring rows with helpers, but for masks',
  { timeout: LONG },
  async () => {
    const helpers = await Promise.all(
      ['Basel', 'Delft'].map(async (name) => ({
        name,
        ...(await keysOfHelper(openHelperMemory(':memory:'))),
      })),
    );
    const terms = {
      rounds: TURN,
      strategy: { name: 'fedavg' },
      local: { steps: 3, learningRate: 0.5 },
      privacy: { mode: 'client', noise: 20, epsilon: 1e6, delta: 1e-3 },
      aggregation: { kind: 'committee', helpers },
      sites: { minimum: 3 },
    } as const;
    const crossed = await crossedPlan(terms, true);
    const { plan } = crossed;
    const random = seededRandom(36);
    const found: Found = { questions: 0, refused: 0, apart: 0 };
    for (let at = 0; at < QUESTIONS; at += TURN) {
      const { identity, sides } = await sidesOf(crossed, NEIGHBOURS);
      const others = await Promise.all([1, 2].map(async () => (await signerOf()).publicKey));
      for (let round = 0; round < TURN; round += 1) {
        const { broadcast, spoil } = crafted(random, plan.model.parameters, ['input']);
        const question: Question = {
          place: placeOf(round, 'input'),
          fields: { sites: 3 },
          payload: joined([fromHex(identity.key), ...others, broadcast]),
        };
        await askBoth({ plan, sides, found }, spoil?.change(question) ?? question);
      }
      await Promise.all(sides.map(({ memory }) => memory.close()));
    }
    expect(found.questions).toBe(QUESTIONS);
    expect(found.refused).toBeGreaterThan(50);
    expect(found.apart).toBeGreaterThan(50);
  },
);

it.each([
  [2, false],
  [3, true],
  [4, true],
  [5, false],
])(
  'takes a roster of %i sites with pairwise masks, where a plan has 3 to 4: %s',
  async (count, isTaken) => {
    const terms = { aggregation: { kind: 'pairwise' }, sites: { minimum: 3, maximum: 4 } } as const;
    const { identity, sides } = await sidesOf(await crossedPlan(terms, false), [NEIGHBOURS[0]!]);
    const others = Array.from({ length: count - 1 }, (_, i) => `${i}`.repeat(64));
    const question = {
      place: placeOf(0, 'keys'),
      fields: { roster: [identity.key, ...others] },
      payload: undefined,
    };
    const { refused } = await sides[0]!.ask(question, 1);
    const refusal = { code: 'FEDERATION_PROTOCOL', message: expect.stringMatching('3 to 4 sites') };
    expect(refused).toEqual(isTaken ? undefined : refusal);
  },
);

/**
 * Two sites with one identity, one memory each, the same randomness, and rows that differ in one patient: what they
 * send may differ in masked numbers, and in digests and signatures of these. Everything else is compared byte by byte.
 */
import nodeCrypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { sha256 } from '@skein/api/canonical';
import { SkeinError } from '@skein/api/errors';
import { mlp, seededRandom, writeModel } from '@skein/onnx';
import { assemblePublic, type Backend } from '@skein/train';
import { nativeBackend } from '@skein/train/native';
import { levelWidth, residueBits, residueCount, type SumEncoding } from '@skein/train/federated';
import { vi } from 'vitest';
import { createIdentity, identityOf } from '../../identity/keys.ts';
import { completePlan } from '../../plan/complete.ts';
import { encodingOf } from '../../plan/encoding.ts';
import type { Plan, PlanDraft } from '../../plan/plan.ts';
import { draft } from '../../testing/plans.ts';
import type { Place } from '../../transport/messages.ts';
import { type Answer, answerOnce, type Task } from '../answers.ts';
import type { SiteMemory } from '../memory/site-memory.ts';
import { openSqliteMemory } from '../memory/sqlite-memory.ts';
import { readSiteRows } from '../site-rows.ts';
import { openWork } from '../work/open-work.ts';

export const RUN = 'run-1';
export const DIGEST = 'd'.repeat(64);

type Bytes = Uint8Array<ArrayBuffer>;
export type Question = Pick<Task, 'place' | 'fields' | 'payload'>;

/** The message of a site: an answer, or the reason of its refusal; and the signs of its timing. */
export interface Sent {
  readonly answer?: Answer;
  readonly refused?: { readonly code: string; readonly message: string };
  /** Runs of the graph. */
  readonly runs: number;
  /** Milliseconds, by a clock that stands. */
  readonly waits: readonly number[];
}

export interface Side {
  ask(question: Question, seed: number): Promise<Sent>;
  readonly memory: SiteMemory;
}

/** A plan of a network with a hidden layer over age, pressure, and sex, as a category where examples go one by one. */
export async function crossedPlan(
  terms: Partial<PlanDraft>,
  isOneByOne: boolean,
): Promise<{ readonly plan: Plan; readonly model: Bytes }> {
  const given = draft(terms);
  const pressure = { name: 'pressure', kind: 'number', low: 0, high: 200 } as const;
  const sex = { name: 'sex', kind: 'number', low: 0, high: 1 } as const;
  const [age, category] = given.data.features;
  const data = { ...given.data, features: [age!, isOneByOne ? category! : sex, pressure] };
  const network = assemblePublic(
    data,
    ({ inputs, outputs, seed }) => mlp({ sizes: [inputs, 3, outputs], seed }),
    1,
  );
  const model = new Uint8Array(writeModel(network));
  const parameters = (isOneByOne ? 4 : 3) * 3 + 3 + 3 + 1;
  const plan = completePlan({
    ...given,
    data,
    model: { digest: await sha256(model), parameters },
  });
  return { plan, model };
}

/** Opens a site for each of the files. */
export async function sidesOf(
  { plan, model }: Awaited<ReturnType<typeof crossedPlan>>,
  files: readonly string[],
) {
  const coordinator = (await createIdentity()).key;
  const keys = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']);
  const identity = await identityOf(keys);
  const open = async (file: string): Promise<Side> => {
    const memory: SiteMemory = { ...openSqliteMemory(':memory:'), identity: async () => keys };
    let runs = 0;
    const waits: number[] = [];
    const work = await openWork({
      joined: { plan, planDigest: DIGEST, coordinator, name: 'A', role: 'site' },
      run: RUN,
      memory,
      model,
      rows: await readSiteRows(plan.data, new TextEncoder().encode(file)),
      backend: counting(() => (runs += 1)),
    });
    const clock = { now: () => 0, wait: async (ms: number) => void waits.push(ms) };
    const options = { run: RUN, plan, planDigest: DIGEST, identity, memory, work, clock };
    const answer = answerOnce(options);
    return {
      memory,
      async ask(question, seed) {
        [runs, waits.length] = [0, 0];
        return withRandom(seed, async () => {
          const sent = await answer(question).then(
            (given) => ({ answer: given }),
            (error: unknown) => ({ refused: refusalOf(error) }),
          );
          return { ...sent, runs, waits: [...waits] };
        });
      },
    };
  };
  return { identity, coordinator, sides: await Promise.all(files.map(open)) };
}

/** The refusal that `runSite` sends. */
function refusalOf(error: unknown): NonNullable<Sent['refused']> {
  if (!(error instanceof SkeinError)) return { code: 'INTERNAL', message: String(error) };
  return { code: error.code, message: error.message };
}

function counting(count: () => void): Backend {
  return {
    name: 'native',
    async open(...given) {
      const graph = await nativeBackend.open(...given);
      return {
        run(...tensors) {
          count();
          return graph.run(...tensors);
        },
        close: () => graph.close(),
      };
    },
  };
}

/** Random numbers of the platform follow from a seed meanwhile. */
async function withRandom<T>(seed: number, act: () => Promise<T>): Promise<T> {
  const random = seededRandom(seed);
  const fill = <B extends Uint8Array>(bytes: B): B => {
    const words = Uint32Array.from(
      { length: Math.ceil(bytes.length / 4) },
      () => random.next() * 2 ** 32,
    );
    bytes.set(new Uint8Array(words.buffer, 0, bytes.length));
    return bytes;
  };
  const spies = [
    vi.spyOn(crypto, 'getRandomValues').mockImplementation((into) => {
      fill(into as unknown as Uint8Array);
      return into;
    }),
    // Shamir's shares are dealt by a module that imports this one.
    vi
      .spyOn(nodeCrypto, 'randomBytes')
      .mockImplementation((bytes: number) => fill(Buffer.alloc(bytes))),
  ];
  syncBuiltinESMExports();
  try {
    return await act();
  } finally {
    for (const spy of spies) spy.mockRestore();
    syncBuiltinESMExports();
  }
}

const SIGNATURE = 64;
const HASH = 32;

/** Parts that may not differ: all but the chunks of a masked update, their digests, and signatures over these. */
export function publicPart({ answer, refused, runs, waits }: Sent) {
  if (answer === undefined) return { refused, runs, waits };
  const { header, payload } = answer;
  const { place, fields } = header;
  const lengths = fields['lengths'] as readonly number[] | undefined;
  if (lengths === undefined) return { header, payload, runs, waits };
  const digests = HASH * (lengths.length - 1);
  const head = payload!.subarray(0, lengths[0]! - SIGNATURE - digests);
  return { place, fields, head, bytes: payload!.length, runs, waits };
}

/** How far two masked updates are apart, in the norm that is clipped: with the same masks and noise. */
export function distance(plan: Plan, [a, b]: readonly [Answer, Answer]): number {
  const encoding = encodingOf(plan, plan.model.parameters);
  const [left, right] = [residuesOf(a, encoding), residuesOf(b, encoding)];
  const modulus = 2n ** BigInt(residueBits(encoding));
  let square = 0;
  for (const [i, each] of left.entries()) {
    const apart = (each - right[i]! + modulus) % modulus;
    square += Number(apart > modulus / 2n ? apart - modulus : apart) ** 2;
  }
  return Math.sqrt(square) * levelWidth(encoding);
}

function residuesOf({ header, payload }: Answer, encoding: SumEncoding): bigint[] {
  const [head] = header.fields['lengths'] as number[];
  const bits = BigInt(residueBits(encoding));
  let packed = 0n;
  for (const byte of payload!.subarray(head).toReversed()) packed = (packed << 8n) | BigInt(byte);
  return Array.from({ length: residueCount(encoding) }, (_, i) => {
    return (packed >> (BigInt(i) * bits)) & (2n ** bits - 1n);
  });
}

export const placeOf = (round: number, phase: string): Place => ({ round, attempt: 0, phase });

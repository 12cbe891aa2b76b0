/**
 * The sum of masked updates by protocol B of `@skein/train/secure-aggregation`: each site sends one
 * message, and helpers remove the masks of the sum. docs/concepts/secure-sums.md has the sequence.
 * Each task has the number of `sites` in its fields, what the sum is bound to of what they train from (`base`, see
 * `baseOf`), and their keys at the beginning of its payload:
 *
 *   input  then what to train from  → `lengths` of head and chunks of a site's update
 *   seeds  then the signed list     → `bad`: numbers of sites whose seed does not open at a helper
 *   masks  then the signed list     → `lengths` of head and chunks of a helper's masks
 *
 * The updates of sites with a bad seed are in the first list, so that the round is made again without them,
 * from the stored answers of the others.
 *
 * With FedBuff `input` ends when the buffer is full. Its task has the digests of the broadcasts in `base` (`versions`), and an
 * answer gives the rounds by which its update is `behind`.
 */
import { fromHex, toHex } from '@skein/api/canonical';
import { SkeinError } from '@skein/api/errors';
import { canBeSum, sumReader } from '@skein/train/federated';
import { joined, LeaderRound, type ReadUpdate } from '@skein/train/secure-aggregation';
import { baseOf, mostUpdates } from '../../plan/buffer.ts';
import { committeeContext } from '../../plan/committee-terms.ts';
import { drawOf, encodingOf } from '../../plan/encoding.ts';
import { helpersOf } from '../../plan/helpers.ts';
import { strategyIn } from '../../plan/kinds/choices.ts';
import { pseudonymOf } from '../../identity/keys.ts';
import type { LedgerEvent } from '../../ledger/entry.ts';
import { answerInvalid, type Payload, payloadIn } from '../../transport/chunks.ts';
import { type Part, partReader, partsAt, requireChunks } from '../../transport/parts.ts';
import { contentIn, joinedContent, payloadOfContent } from '../storage/content.ts';
import type { Aggregator, AttemptContext } from './aggregator.ts';
import { requireAnswers } from './threshold.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** A masked update, or masks, as they came. */
interface Sent {
  readonly lengths: unknown;
  readonly payload: Payload;
}

/** Where one of them is stored. */
interface Stored {
  readonly digest: string;
  readonly lengths: unknown;
  readonly chunks: readonly Part[];
}

/** The messages that a phase takes, and its end. */
interface Phase {
  readonly expected: readonly string[];
  readonly needed: number;
  readonly enough?: number;
  accept(from: string, fields: Readonly<Record<string, unknown>>, sent: Sent): Promise<void>;
  /** @returns the next phase, with the fields after the roster in its tasks, and the events of this one for the ledger. */
  close(): Promise<{
    readonly next?: readonly [Phase, Bytes];
    readonly events?: readonly LedgerEvent[];
  }>;
}

export async function openCommittee(attempt: AttemptContext): Promise<Aggregator> {
  const { plan, planDigest, roster, broadcast, leader, payloadOf } = attempt;
  const encoding = encodingOf(plan, plan.model.parameters);
  const keys = roster.map(fromHex);
  const coordinator = toHex(leader.publicKey);
  const versions = [...attempt.earlier, broadcast.digest];
  const base = await baseOf(versions);
  const context = committeeContext(
    { ...attempt, coordinator, encoding, base: fromHex(base) },
    attempt,
    keys,
  );
  const helpers = helpersOf(plan);
  const committee = helpers.map(({ identity }) => identity);
  const numberOf = new Map(roster.map((key, number) => [key, number]));
  const open = (): Promise<LeaderRound> => LeaderRound.begin(context, leader);

  let round = await open();
  /** Updates of the sites and helpers that have answered. */
  const updates = new Map<number, Stored>();
  const summed = new Map<number, Stored>();
  /** By site that has answered: rounds. */
  const behind = new Map<number, number>();
  const bad = new Set<number>();
  const nameOf = (helper: string): string => helpers[committee.indexOf(helper)]!.name;
  /** Sites whose seed does not open, by the name of the helper that reported them. */
  const accused = new Map<string, readonly number[]>();
  const place = { round: attempt.round, attempt: attempt.attempt };

  const read = partReader();
  const readStored =
    (from: ReadonlyMap<number, Stored>): ReadUpdate =>
    async (number, chunk) => {
      const { digest, chunks } = from.get(number)!;
      return read(await payloadOf(digest), chunks[chunk]!);
    };

  async function add(to: LeaderRound, site: number, { lengths, payload }: Sent): Promise<Stored> {
    const [head, ...chunks] = partsAt(payload.bytes, lengths);
    await to.accept(site, await read(payload, head!));
    requireChunks(chunks.length, to.chunks);
    await to.acceptUpdate(site, (chunk) => read(payload, chunks[chunk]!));
    return { digest: payload.digest, lengths, chunks };
  }

  /** The round of all updates but those with a bad seed. */
  async function withoutBad(): Promise<LeaderRound> {
    const fewer = await open();
    for (const [site, { lengths, digest }] of updates) {
      if (!bad.has(site)) await add(fewer, site, { lengths, payload: await payloadOf(digest) });
    }
    return fewer;
  }

  /** A phase of the helpers; all of them have to answer. */
  function ofHelpers(name: string, phase: Pick<Phase, 'accept' | 'close'>): Phase {
    const answered = new Set<string>();
    let split: SkeinError | undefined;
    return {
      expected: committee,
      needed: committee.length,
      async accept(from, fields, sent) {
        try {
          await phase.accept(from, fields, sent);
        } catch (error) {
          if (!isSplit(error)) throw error;
          split = splitOf(nameOf(from));
          throw split;
        }
        answered.add(from);
      },
      async close() {
        if (split !== undefined) throw split;
        const lost = helpers.filter(({ identity }) => !answered.has(identity));
        if (lost.length === 0) return phase.close();
        throw new SkeinError(
          'AGGREGATION_HELPER_LOST',
          `Without an answer to phase ${name} of ${lost.map((each) => each.name).join(', ')} the sum stays masked.`,
        );
      },
    };
  }

  const masks = ofHelpers('masks', {
    async accept(from, _, { lengths, payload }) {
      const helper = committee.indexOf(from);
      const [head, ...chunks] = partsAt(payload.bytes, lengths);
      await round.acceptMasks(helper, await read(payload, head!));
      requireChunks(chunks.length, round.chunks);
      await round.acceptSummedMasks(helper, (chunk) => read(payload, chunks[chunk]!));
      summed.set(helper, { digest: payload.digest, lengths, chunks });
    },
    close: async () => ({
      events: helpers.map(({ name: helper }) => ({
        ...place,
        kind: 'summed',
        helper,
        sites: round.clients.length,
        list: toHex(round.list!),
      })),
    }),
  });

  const seeds = (list: Bytes): Phase =>
    ofHelpers('seeds', {
      async accept(from, fields) {
        const named = sitesOf(fields['bad'], roster.length);
        for (const site of named) bad.add(site);
        if (named.length > 0) accused.set(nameOf(from), named);
      },
      async close() {
        if (bad.size === 0) return { next: [masks, list] };
        round = await withoutBad();
        const events = [...accused].map(async ([helper, sites]): Promise<LedgerEvent> => {
          const named = await Promise.all(sites.map((site) => pseudonymOf(roster[site]!)));
          return { ...place, kind: 'left-out', helper, sites: named };
        });
        return { next: [masks, await round.close()], events: await Promise.all(events) };
      },
    });

  const needed = plan.sites.threshold;
  const isBuffered = strategyIn(plan).buffer !== undefined;
  const enough = mostUpdates(plan);
  const input: Phase = {
    expected: roster,
    needed,
    enough,
    async accept(from, fields, sent) {
      const site = numberOf.get(from)!;
      if (updates.size >= enough) {
        throw new SkeinError('PHASE_CLOSED', `The ${enough} updates of this round are there.`);
      }
      const late = behindOf(fields['behind'], versions.length);
      updates.set(site, await add(round, site, sent));
      behind.set(site, late);
    },
    async close() {
      requireAnswers('input', updates.size, needed);
      const list = await round.close();
      return { next: [seeds(list), list] };
    },
  };

  let phase = input;
  const rosterKeys = joined(keys);
  const nothing = payloadIn(new Uint8Array(0), '');
  let payload = await payloadOfContent(joinedContent([contentIn(rosterKeys), broadcast]));
  return {
    expected: () => phase.expected,
    needed: () => phase.needed,
    enough: () => phase.enough ?? Infinity,
    task: () => ({
      fields: {
        sites: roster.length,
        base,
        ...(isBuffered && phase === input ? { versions } : {}),
      },
      payload,
    }),
    async accept({ site, fields }, given = nothing) {
      await phase.accept(site, fields, { lengths: fields['lengths'], payload: given });
    },
    async close() {
      const { next, events = [] } = await phase.close();
      if (next === undefined) return events;
      phase = next[0];
      payload = await payloadOfContent(contentIn(joined([rosterKeys, next[1]])));
      return events;
    },
    suspects: () => [...bad].map((site) => roster[site]!),
    liars: () => [],
    async sum() {
      const stored = { update: readStored(updates), masks: readStored(summed) };
      const { sum, clients } = await round.sum(stored);
      const checked = {
        length: sum.length,
        async read(from: number, to: number) {
          const part = await sum.read(from, to);
          if (canBeSum(part, encoding, clients.length)) return part;
          throw new SkeinError(
            'AGGREGATION_SUM_GARBLED',
            `The unmasked sum of ${clients.length} sites holds numbers that no sum of theirs can have.`,
          );
        },
      };
      const draw = drawOf(planDigest, attempt);
      const decoded = await sumReader(checked, encoding, clients.length, draw);
      const survivors = clients.map((site) => roster[site]!);
      if (!isBuffered) return { ...decoded, survivors };
      const counts = versions.map(
        (_, late) => clients.filter((site) => behind.get(site) === late).length,
      );
      return { ...decoded, survivors, behind: counts };
    },
  };
}

/** @throws SkeinError ANSWER_INVALID for an update of parameters that the sum is not bound to. */
function behindOf(value: unknown = 0, versions: number): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) < versions) {
    return value as number;
  }
  throw answerInvalid(
    `The update is ${JSON.stringify(value)} rounds behind, and an update of this round may be ${versions - 1}.`,
  );
}

/** @throws SkeinError ANSWER_INVALID for anything but numbers of sites. */
function sitesOf(value: unknown, sites: number): readonly number[] {
  const isList =
    Array.isArray(value) &&
    value.every(
      (each) => Number.isInteger(each) && (each as number) >= 0 && (each as number) < sites,
    );
  if (isList) return value as readonly number[];
  throw answerInvalid('The bad seeds are not given as numbers of sites.');
}

const isSplit = (error: unknown): boolean =>
  error instanceof SkeinError && error.code === 'AGGREGATION_SURVIVORS_SPLIT';

const splitOf = (helper: string): SkeinError =>
  new SkeinError(
    'AGGREGATION_SURVIVORS_SPLIT',
    `The helper ${helper} summed the masks of other sites than it was asked for.`,
  );

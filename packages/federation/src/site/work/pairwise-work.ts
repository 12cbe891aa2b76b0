/**
 * Work under protocol A: the coordinator learns the sum of updates, and no update. The phases are
 * the exchanges of `@skein/train/secure-aggregation`.
 *
 * The site derives the encoding and the number of a sum from the accepted plan. From the coordinator
 * it takes who takes part, and what to train from.
 */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { encodeUpdate, residueBits, residueCount } from '@skein/train/federated';
import {
  EXCHANGES,
  joined,
  SiteRound,
  type AggregationContext,
  type Exchange,
} from '@skein/train/secure-aggregation';
import { fromHex, sha256, utf8 } from '@skein/api/canonical';
import { SkeinError } from '@skein/api/errors';
import { identityOf, signerOf } from '../../identity/keys.ts';
import { drawOf, encodingOf, sumNumber } from '../../plan/encoding.ts';
import type { Plan } from '../../plan/plan.ts';
import { Accusation, type Outcome, type Task, type Work } from '../answers.ts';
import { summedOf } from './carried.ts';
import { parametersOf } from './parameters.ts';
import { unknownPhase } from './plain-work.ts';
import { protocolError } from '../../transport/messages.ts';
import type { SecureOptions } from './training.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** State between the phases of an attempt: the roster, and the secrets of the round. */
interface Kept {
  readonly roster: readonly string[];
  readonly round: string;
}

export async function pairwiseWork(options: SecureOptions): Promise<Work> {
  const { run, plan, planDigest, training } = options;
  const identity = await identityOf(options.keys);
  const signer = signerOf(identity);
  const encoding = encodingOf(plan, plan.model.parameters);
  const read = parametersOf(plan);

  const contextOf = (
    { place }: Task,
    roster: readonly string[],
    base: Bytes | undefined,
  ): AggregationContext => ({
    ...(base === undefined ? {} : { base }),
    run,
    round: sumNumber(place.round, place.attempt),
    plan: fromHex(planDigest),
    roster: roster.map((key) => fromHex(key)),
    fewest: plan.sites.threshold,
    length: residueCount(encoding),
    bits: residueBits(encoding),
  });

  const ANSWERS: {
    readonly [E in Exchange]: (round: SiteRound, task: Task, payload: Bytes) => Promise<Parts>;
  } = {
    keys: async (round) => [await round.advertise()],
    shares: async (round, _, payload) => [await round.share(payload)],
    async input(round, task) {
      const { place } = task;
      const { broadcast, delivery } = inputOf(task);
      const [parameters, summed] = [read(broadcast), summedOf(task)];
      // All that the task may be refused for is checked before rows are read.
      const encoded = async (): Promise<Uint32Array> => {
        const seat = keptOf(task).roster.indexOf(identity.key);
        const update = await training.update(place.round, parameters, summed, seat);
        return encodeUpdate(update, encoding, drawOf(planDigest, place));
      };
      try {
        const { head, chunks } = await round.mask(encoded, delivery);
        return [head, ...chunks];
      } catch (error) {
        const { accused } = round;
        if (accused.length === 0 || !(error instanceof SkeinError)) throw error;
        const { roster } = keptOf(task);
        throw new Accusation(
          accused.map((site) => roster[site]!),
          error,
        );
      }
    },
    consistency: async (round, _, payload) => [await round.sign(payload)],
    unmasking: async (round, _, payload) => [await round.unmask(payload)],
  };

  return async (task): Promise<Outcome> => {
    const exchange = EXCHANGES.find((each) => each === task.place.phase);
    if (exchange === undefined) throw unknownPhase(task);
    const kept = exchange === 'keys' ? undefined : keptOf(task);
    const roster = kept?.roster ?? rosterOf(task, plan);
    const base = exchange === 'input' ? fromHex(await sha256(inputOf(task).broadcast)) : undefined;
    const context = contextOf(task, roster, base);
    const round =
      kept === undefined
        ? // The place is answered once, ever, so that no earlier round need be named here.
          await SiteRound.begin(context, signer, { after: -1 })
        : await SiteRound.restore(context, signer, kept.round);
    const parts = await ANSWERS[exchange](round, task, task.payload ?? new Uint8Array(0));
    const state = utf8(JSON.stringify({ roster, round: round.save() } satisfies Kept));
    const lengths = parts.map((part) => part.length);
    return {
      fields: exchange === 'input' ? { lengths } : {},
      payload: joined(parts),
      state,
    };
  };
}

type Parts = readonly Bytes[];

/** The model to train, and the shares for this site. @throws SkeinError FEDERATION_PROTOCOL. */
function inputOf({ fields, payload = new Uint8Array(0) }: Task): {
  broadcast: Bytes;
  delivery: Bytes;
} {
  const bytes = fields['delivery'];
  const isLength =
    typeof bytes === 'number' && Number.isInteger(bytes) && bytes >= 0 && bytes <= payload.length;
  if (!isLength) {
    throw protocolError('The task does not give the end of its parameters.');
  }
  const end = payload.length - bytes;
  return { broadcast: payload.slice(0, end), delivery: payload.subarray(end) };
}

/** @throws SkeinError FEDERATION_PROTOCOL for a roster that is none, below the plan's threshold, or above its maximum. */
function rosterOf({ fields }: Task, { sites }: Plan): readonly string[] {
  const roster = fields['roster'];
  const isRoster =
    Array.isArray(roster) &&
    roster.length >= sites.threshold &&
    roster.length <= sites.maximum &&
    roster.every((key) => typeof key === 'string' && /^[0-9a-f]{64}$/.test(key));
  if (isRoster) return roster as readonly string[];
  throw protocolError(
    `The roster is not of ${sites.threshold} to ${sites.maximum} sites, as the plan asks for.`,
  );
}

/** @throws SkeinError FEDERATION_PROTOCOL when the earlier phases of the attempt were not answered here. */
function keptOf({ state, place }: Task): Kept {
  if (state !== undefined) return readJson(state, JSON_BOUNDS.stored) as Kept;
  throw protocolError(`This site is not part of attempt ${place.attempt} of round ${place.round}.`);
}

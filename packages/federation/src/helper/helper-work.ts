/**
 * The work of a helper: it sums masks of the sites that the coordinator lists, less its share of the
 * noise, once in an attempt. What it checks is in docs/concepts/secure-sums.md.
 *
 * That a place is answered once, and that the answer is stored before it is sent, is kept by
 * `answerOnce`, and so is the privacy budget of the plan: a helper counts its own sums.
 */
import { digestOf, fromHex, toHex } from '@skein/api/canonical';
import { SkeinError } from '@skein/api/errors';
import { noiseShare } from '@skein/train/federated';
import {
  Helper,
  helperKeys,
  joined as joinedBytes,
  type CommitteeContext,
} from '@skein/train/secure-aggregation';
import type { Joined } from '../identity/handshake.ts';
import { identityOf, signerOf } from '../identity/keys.ts';
import { committeeContext, splitRoster } from '../plan/committee-terms.ts';
import { encodingOf } from '../plan/encoding.ts';
import { helpersOf, isCohortFixed } from '../plan/helpers.ts';
import type { Plan } from '../plan/plan.ts';
import type { PlannedHelper } from '../plan/terms.ts';
import type { Outcome, Task, Work } from '../site/answers.ts';
import { unknownPhase } from '../site/work/plain-work.ts';
import type { HelperMemory } from './helper-memory.ts';
import { protocolError } from '../transport/messages.ts';

/** The keys of this helper, as a plan names them. */
export async function keysOfHelper(
  memory: Pick<HelperMemory, 'identity' | 'sealingSecret'>,
): Promise<Omit<PlannedHelper, 'name'>> {
  const identity = await identityOf(await memory.identity());
  const keys = await helperKeys(signerOf(identity), await memory.sealingSecret());
  const sealing = toHex(keys.sealing);
  return { identity: identity.key, sealing, proof: await identity.sign('sealing', sealing) };
}

/**
 * This helper in a plan.
 * @throws SkeinError HELPER_NOT_NAMED if the plan names other keys.
 */
export async function helperInPlan(
  plan: Pick<Plan, 'aggregation'>,
  memory: Pick<HelperMemory, 'identity' | 'sealingSecret'>,
): Promise<PlannedHelper> {
  const { identity, sealing } = await keysOfHelper(memory);
  const found = helpersOf(plan).find(
    (each) => each.identity === identity && each.sealing === sealing,
  );
  if (found !== undefined) return found;
  throw new SkeinError(
    'HELPER_NOT_NAMED',
    `The plan names no helper with the key ${identity.slice(0, 16)}….`,
  );
}

export interface HelperWorkOptions {
  readonly run: string;
  readonly joined: Joined;
  readonly memory: HelperMemory;
}

/** @throws SkeinError HELPER_NOT_NAMED. */
export async function helperWork({ run, joined, memory }: HelperWorkOptions): Promise<Work> {
  const { plan } = joined;
  await helperInPlan(plan, memory);
  const signer = signerOf(await identityOf(await memory.identity()));
  const secret = await memory.sealingSecret();
  const encoding = encodingOf(plan, plan.model.parameters);

  /** @throws SkeinError AGGREGATION_COHORT_CHANGED. */
  async function requireCohort(round: number, keys: readonly string[]): Promise<void> {
    if (!isCohortFixed(plan)) return;
    const digest = await digestOf(keys);
    if ((await memory.cohortOf(run, round, digest)) === digest) return;
    throw new SkeinError(
      'AGGREGATION_COHORT_CHANGED',
      `Round ${round} is tried again with other sites than its first sum.`,
    );
  }

  type Answering = (context: CommitteeContext, list: Uint8Array, round: number) => Promise<Outcome>;
  const phases: Readonly<Record<string, Answering>> = {
    async seeds(context, list) {
      return { fields: { bad: await helper().check(context, list) } };
    },
    async masks(context, list, round) {
      const { head, chunks } = await helper().answer(
        context,
        list,
        noiseShare(encoding),
        (clients) =>
          requireCohort(round, clients.map((client) => toHex(context.roster[client]!)).toSorted()),
      );
      const parts = [head, ...chunks];
      return {
        fields: { lengths: parts.map(({ length }) => length) },
        payload: joinedBytes(parts),
      };
    },
  };
  // The place is answered once, ever, so that no earlier round need be named here.
  const helper = () => new Helper(signer, secret, { after: -1 });

  return async ({ place, fields, payload = new Uint8Array(0) }: Task) => {
    const phase = Object.hasOwn(phases, place.phase) ? phases[place.phase] : undefined;
    if (phase === undefined) throw unknownPhase({ place });
    const { roster, rest } = splitRoster(plan, payload, fields['sites']);
    const base = baseOf(fields['base']);
    const context = committeeContext({ ...joined, run, encoding, base }, place, roster);
    return phase(context, rest, place.round);
  };
}

/**
 * The model that the listed sites have trained, by the coordinator's digest. A site that was sent other parameters has signed
 * another base, and a list with it is refused.
 * @throws SkeinError FEDERATION_PROTOCOL.
 */
function baseOf(value: unknown): Uint8Array<ArrayBuffer> {
  if (typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)) return fromHex(value);
  throw protocolError(
    'The task does not give the sha-256 of the model that the sites have trained.',
  );
}

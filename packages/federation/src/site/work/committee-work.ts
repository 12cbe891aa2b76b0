/**
 * Work under protocol B: one message a round. The update is masked, and the seed of each mask is sealed
 * to one helper, so that neither the coordinator nor a helper can read it. After its message a site
 * may leave, and never come back.
 */
import { fromHex, sha256, toHex } from '@skein/api/canonical';
import { encodeUpdate } from '@skein/train/federated';
import { joined, sealUpdate } from '@skein/train/secure-aggregation';
import { baseOf, mostBehind } from '../../plan/buffer.ts';
import { committeeContext, splitRoster } from '../../plan/committee-terms.ts';
import { identityOf, signerOf } from '../../identity/keys.ts';
import { drawOf, encodingOf } from '../../plan/encoding.ts';
import { strategyIn } from '../../plan/kinds/choices.ts';
import type { Plan } from '../../plan/plan.ts';
import type { Work } from '../answers.ts';
import { bufferedUpdates, type ReadyUpdate } from './buffered-updates.ts';
import { summedOf } from './carried.ts';
import { parametersOf } from './parameters.ts';
import { unknownPhase } from './plain-work.ts';
import { protocolError } from '../../transport/messages.ts';
import type { SecureOptions } from './training.ts';

export async function committeeWork(options: SecureOptions): Promise<Work> {
  const { plan, planDigest, training } = options;
  const identity = await identityOf(options.keys);
  const signer = signerOf(identity);
  const encoding = encodingOf(plan, plan.model.parameters);
  const read = parametersOf(plan);

  const buffer = strategyIn(plan).buffer;
  const whenReady = buffer === undefined ? undefined : bufferedUpdates(training, buffer);

  return async ({ place, fields, payload = new Uint8Array(0), signal }) => {
    if (place.phase !== 'input') throw unknownPhase({ place });
    const { round } = place;
    const { roster, rest } = splitRoster(plan, payload, fields['sites']);
    const digest = await sha256(rest);
    const versions =
      buffer === undefined ? [digest] : versionsOf(plan, round, fields['versions'], digest);
    const base = fromHex(await baseOf(versions));
    const context = committeeContext({ ...options, encoding, base }, place, roster);
    const [broadcast, summed] = [read(rest), summedOf({ place, fields })];
    let ready: ReadyUpdate | undefined;
    async function input(): Promise<Uint32Array> {
      ready = await whenReady?.({ round, broadcast, versions, signal });
      const seat = roster.findIndex((key) => toHex(key) === identity.key);
      const update = ready ?? (await training.update(round, broadcast, summed, seat));
      // Helpers add the noise, so that no site can leave with its share of it.
      return encodeUpdate(update, encoding, { noise: false, ...drawOf(planDigest, place) });
    }
    // The place is answered once, ever, so that no earlier round need be named here. All that the task may be
    // refused for is checked before rows are read.
    const { head, chunks } = await sealUpdate(context, signer, input, { after: -1 });
    const parts = [head, ...chunks];
    const lengths = parts.map(({ length }) => length);
    if (ready === undefined) return { fields: { lengths }, payload: joined(parts) };
    signal?.throwIfAborted();
    const { behind } = ready;
    return { fields: { lengths, behind }, payload: joined(parts), settled: ready.give() };
  };
}

/**
 * The models that the updates of a round may start from, by the coordinator's list: every site of the sum signs the same.
 * @param own digest of what this round begins with.
 * @throws SkeinError FEDERATION_PROTOCOL.
 */
function versionsOf(plan: Plan, round: number, value: unknown, own: string): readonly string[] {
  const count = mostBehind(plan, round) + 1;
  const areDigests =
    Array.isArray(value) &&
    value.length === count &&
    value.every((each) => typeof each === 'string' && /^[0-9a-f]{64}$/.test(each));
  if (areDigests && value.at(-1) === own) return value as readonly string[];
  throw protocolError(
    `Round ${round} does not name the ${count} digests of the models that its updates may start from, with the digest of its own parameters last.`,
  );
}

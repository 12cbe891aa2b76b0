/**
 * Work under protocol B: one message a round. The update is masked, and the seed of each mask is sealed
 * to one helper, so that neither the coordinator nor a helper can read it. After its message a site
 * may leave, and never come back.
 */
import { fromHex, sha256 } from '@skein/api/canonical';
import { encodeUpdate } from '@skein/train/federated';
import { joined, sealUpdate } from '@skein/train/secure-aggregation';
import { committeeContext, splitRoster } from '../../plan/committee-terms.ts';
import { identityOf, signerOf } from '../../identity/keys.ts';
import { drawOf, encodingOf } from '../../plan/encoding.ts';
import type { Work } from '../answers.ts';
import { summedOf } from './carried.ts';
import { floatsOf, unknownPhase } from './plain-work.ts';
import type { SecureOptions } from './secure-options.ts';

export async function committeeWork(options: SecureOptions): Promise<Work> {
  const { plan, planDigest, training } = options;
  const signer = signerOf(await identityOf(options.keys));
  const encoding = encodingOf(plan, plan.model.parameters);

  return async ({ place, fields, payload = new Uint8Array(0) }) => {
    if (place.phase !== 'input') throw unknownPhase({ place });
    const { roster, rest } = splitRoster(plan, payload, fields['sites']);
    const base = fromHex(await sha256(rest));
    const context = committeeContext({ ...options, encoding, base }, place, roster);
    const update = await training.update(place.round, floatsOf(rest), summedOf({ place, fields }));
    // Helpers add the noise, so that no site can leave with its share of it.
    const input = encodeUpdate(update, encoding, {
      noise: false,
      ...drawOf(planDigest, place),
    });
    // The place is answered once, ever, so that no earlier round need be named here.
    const { head, chunks } = await sealUpdate(context, signer, input, { after: -1 });
    const parts = [head, ...chunks];
    return { fields: { lengths: parts.map(({ length }) => length) }, payload: joined(parts) };
  };
}

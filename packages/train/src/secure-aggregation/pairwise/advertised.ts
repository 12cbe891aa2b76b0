/** Checks the keys of a round, as the server passes them on: every key is signed by an agreed site, once. */
import { SkeinError } from '@skein/api/errors';
import type { AggregationContext } from '../context.ts';
import type { Bytes } from '../crypto/suite.ts';
import { leastSites } from '../graph.ts';
import { openEnvelope } from '../wire/envelope.ts';
import { readKeys, readRoster, type Keys } from './messages.ts';
import { suite } from '../crypto/platform-suite.ts';

export interface Advertised {
  readonly keys: ReadonlyMap<number, Keys>;
  /** Digest of all of them. */
  readonly seed: Bytes;
}

/** Rosters that sites of one process have checked, by digest: one site's check serves the others. */
export type CheckedRosters = Map<string, Promise<Advertised>>;

export async function advertisedOnce(
  roster: Uint8Array,
  context: AggregationContext,
  digest: Bytes,
  checked: CheckedRosters,
): Promise<Advertised> {
  const name = `${digest} ${await suite.sha256(new Uint8Array(roster))}`;
  let known = checked.get(name);
  if (known === undefined) checked.set(name, (known = advertised(roster, context, digest)));
  return known;
}

/** @throws SkeinError AGGREGATION_ROSTER_FORGED, AGGREGATION_TOO_FEW, AGGREGATION_CONTEXT_OTHER, AGGREGATION_INVALID. */
export async function advertised(
  roster: Uint8Array,
  context: AggregationContext,
  digest: Bytes,
): Promise<Advertised> {
  const messages = readRoster(roster);
  const keys = new Map<number, Keys>();
  const known = new Set<string>();
  for (const message of messages) {
    const { sender, body } = await openEnvelope(
      message,
      { digest, phase: 'keys' },
      context.roster,
    ).catch((error: unknown) => {
      if (!(error instanceof SkeinError) || error.code !== 'AGGREGATION_SIGNATURE_INVALID')
        throw error;
      throw new SkeinError('AGGREGATION_ROSTER_FORGED', error.message, { cause: error });
    });
    const own = readKeys(body);
    keys.set(sender, own);
    known.add(String(own.sealing)).add(String(own.masking));
  }
  if (keys.size !== messages.length || known.size !== 2 * messages.length) {
    throw new SkeinError(
      'AGGREGATION_ROSTER_FORGED',
      'The keys of the round name a site or a key twice.',
    );
  }
  const least = leastSites(context);
  if (keys.size < least) {
    throw new SkeinError(
      'AGGREGATION_TOO_FEW',
      `Only ${keys.size} of ${context.roster.length} sites advertised keys; the round needs ${least}.`,
    );
  }
  return { keys, seed: await suite.sha256(new Uint8Array(roster)) };
}

/** A site's memory of a round, as one JSON text: it is stored before each message is sent. */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { SkeinError } from '@skein/api/errors';
import type { Bytes } from '../crypto/suite.ts';
import { EXCHANGES, type Exchange } from '../wire/envelope.ts';

export interface SiteState {
  /** Result of `contextDigest`: a state is restored for its own round only. */
  readonly digest: Bytes;
  /** The exchange that is due; `ended` after the last one, or a refusal. */
  due: Exchange | 'ended';
  /** Secrets of this round alone. */
  readonly sealing: Bytes;
  readonly masking: Bytes;
  readonly seed: Bytes;
  /** Public keys for masks of the sites that advertised. */
  maskingKeys: ReadonlyMap<number, Bytes>;
  sealingKeys: ReadonlyMap<number, Bytes>;
  /** Digest of all advertised keys: decides the graph. */
  graphSeed: Bytes;
  /** Own share of the seed. */
  ownShare: Bytes;
  /** Sites that dealt shares, and what neighbours dealt: both shares in a row. */
  sharing: readonly number[];
  held: ReadonlyMap<number, Bytes>;
  /** The list that this site signed: a bitmap. */
  survivors: Bytes;
}

export function newSiteState(
  fresh: Pick<SiteState, 'digest' | 'sealing' | 'masking' | 'seed'>,
): SiteState {
  return {
    ...fresh,
    due: 'keys',
    maskingKeys: new Map(),
    sealingKeys: new Map(),
    graphSeed: new Uint8Array(0),
    ownShare: new Uint8Array(0),
    sharing: [],
    held: new Map(),
    survivors: new Uint8Array(0),
  };
}

export function writeSiteState(state: SiteState): string {
  return JSON.stringify(state, (_, value: unknown) => {
    if (value instanceof Uint8Array) return bytesToHex(value);
    return value instanceof Map ? Object.fromEntries(value) : value;
  });
}

/** @throws SkeinError AGGREGATION_INVALID. */
export function readSiteState(text: string): SiteState {
  try {
    const stored = readJson(text, JSON_BOUNDS.stored) as Record<keyof SiteState, unknown>;
    const bytes = (field: keyof SiteState) => hexToBytes(stored[field] as string) as Bytes;
    const map = (field: keyof SiteState) =>
      new Map(
        Object.entries(stored[field] as Record<string, string>).map(
          ([site, hex]) => [Number(site), hexToBytes(hex) as Bytes] as const,
        ),
      );
    if (stored.due !== 'ended' && !EXCHANGES.includes(stored.due as Exchange))
      throw new Error('due');
    return {
      digest: bytes('digest'),
      due: stored.due as SiteState['due'],
      sealing: bytes('sealing'),
      masking: bytes('masking'),
      seed: bytes('seed'),
      maskingKeys: map('maskingKeys'),
      sealingKeys: map('sealingKeys'),
      graphSeed: bytes('graphSeed'),
      ownShare: bytes('ownShare'),
      sharing: Array.from(stored.sharing as number[], Number),
      held: map('held'),
      survivors: bytes('survivors'),
    };
  } catch (cause) {
    throw new SkeinError('AGGREGATION_INVALID', 'The stored state of a round cannot be read.', {
      cause,
    });
  }
}

/** The bodies of protocol A. A list of sites is a bitmap over the roster, lowest bit first. */
import type { AggregationContext } from '../context.ts';
import type { Bytes } from '../crypto/suite.ts';
import { Reader, Writer } from '../wire/bytes.ts';
import { COMMITMENT, SHARE } from './secrets.ts';

const TAG = 16;
const SEALED = 2 * SHARE + TAG;
/** Bytes of the shares of one site for one other. */
const ENTRY = 2 + 2 * COMMITMENT + SEALED;
/** Bytes of a revealed share with the number of its owner. */
const REVEAL = 2 + SHARE;
/** Bytes of an envelope around a body of 64 or 32 bytes. */
const KEYS_MESSAGE = 4 + 32 + 64 + 64;
const CONSISTENCY_MESSAGE = 4 + 32 + 32 + 64;

/** Exchange 0: fresh X25519 keys, for the shares and for the masks. */
export interface Keys {
  readonly sealing: Bytes;
  readonly masking: Bytes;
}

export function writeKeys({ sealing, masking }: Keys): Bytes {
  return new Writer().raw(sealing).raw(masking).bytes();
}

export function readKeys(body: Bytes): Keys {
  const reader = new Reader(body, 'the keys of a site');
  const keys = { sealing: reader.raw(32), masking: reader.raw(32) };
  reader.end();
  return keys;
}

/** The shares of one site for one other, and what binds both to them. */
export interface SealedShares {
  /** The other: recipient in a site's message, owner in what the server passes on. */
  readonly peer: number;
  /** Commitments to the share of the masking key, and to the share of the seed. */
  readonly commitments: readonly [Bytes, Bytes];
  /** AES-128-GCM over both shares, with the commitments as associated data. */
  readonly sealed: Bytes;
}

/** Exchange 1. */
export interface Shares {
  readonly seedDigest: Bytes;
  /** To the share of its seed that the site itself keeps. */
  readonly ownCommitment: Bytes;
  readonly entries: Iterable<SealedShares>;
}

export function writeShares({ seedDigest, ownCommitment, entries }: Shares): Bytes {
  const writer = new Writer().raw(seedDigest).raw(ownCommitment);
  return writeSealed(writer, entries).bytes();
}

export function readShares(body: Bytes): Shares & { readonly entries: SealedEntries } {
  const reader = new Reader(body, 'the shares of a site');
  const shares = {
    seedDigest: reader.raw(32),
    ownCommitment: reader.raw(COMMITMENT),
    entries: readEntries(reader),
  };
  reader.end();
  return shares;
}

/**
 * Shares as they lie in a message, each read when it is asked for: a server keeps the shares of every pair of
 * sites, and as objects they take five times their bytes.
 */
export class SealedEntries implements Iterable<SealedShares> {
  readonly #bytes: Bytes;

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
  }

  get length(): number {
    return this.#bytes.length / ENTRY;
  }

  peer(at: number): number {
    return this.#bytes[at * ENTRY]! | (this.#bytes[at * ENTRY + 1]! << 8);
  }

  at(at: number): SealedShares {
    return readSealed(new Reader(this.#bytes.subarray(at * ENTRY, (at + 1) * ENTRY), 'a share'));
  }

  /** The shares for a peer, which is one of them; peers are ascending. */
  dealtTo(peer: number): SealedShares {
    let [first, end] = [0, this.length];
    while (end - first > 1) {
      const middle = (first + end) >> 1;
      if (this.peer(middle) <= peer) first = middle;
      else end = middle;
    }
    return this.at(first);
  }

  *[Symbol.iterator](): Generator<SealedShares> {
    for (let at = 0; at < this.length; at++) yield this.at(at);
  }
}

/** The server's answer to exchange 1: who shared, and the shares for this site. */
export interface Delivery {
  readonly sharing: ReadonlySet<number>;
  readonly entries: readonly SealedShares[];
}

export function writeDelivery({ sharing, entries }: Delivery, sites: number): Bytes {
  return writeSealed(new Writer().raw(writeSites(sharing, sites)), entries).bytes();
}

export function readDelivery(bytes: Uint8Array, sites: number): Delivery {
  const reader = new Reader(bytes, 'the delivered shares');
  const delivery = { sharing: readSites(reader, sites), entries: [...readEntries(reader)] };
  reader.end();
  return delivery;
}

function writeSealed(writer: Writer, entries: Iterable<SealedShares>): Writer {
  const all = [...entries];
  writer.u32(all.length);
  for (const { peer, commitments, sealed } of all) {
    writer.u16(peer).many(commitments).raw(sealed);
  }
  return writer;
}

function readEntries(reader: Reader): SealedEntries {
  return new SealedEntries(reader.raw(reader.count(ENTRY) * ENTRY));
}

function readSealed(reader: Reader): SealedShares {
  return {
    peer: reader.u16(),
    commitments: [reader.raw(COMMITMENT), reader.raw(COMMITMENT)],
    sealed: reader.raw(SEALED),
  };
}

/** The server's answer to exchange 3: all signatures of the list of survivors. */
export interface Confirmation {
  readonly survivors: Bytes;
  readonly messages: readonly Bytes[];
}

export function writeConfirmation({ survivors, messages }: Confirmation): Bytes {
  return new Writer().raw(survivors).u32(messages.length).many(messages).bytes();
}

export function readConfirmation(bytes: Uint8Array, sites: number): Confirmation {
  const reader = new Reader(bytes, 'the signatures of the survivors');
  const survivors = reader.raw(bitmapBytes(sites));
  const count = reader.count(CONSISTENCY_MESSAGE);
  const messages = Array.from({ length: count }, () => reader.raw(CONSISTENCY_MESSAGE));
  reader.end();
  return { survivors, messages };
}

/** The server's answer to exchange 0. */
export function writeRoster(messages: readonly Bytes[]): Bytes {
  return new Writer().u32(messages.length).many(messages).bytes();
}

export function readRoster(bytes: Uint8Array): Bytes[] {
  const reader = new Reader(bytes, 'the keys of the round');
  const count = reader.count(KEYS_MESSAGE);
  const messages = Array.from({ length: count }, () => reader.raw(KEYS_MESSAGE));
  reader.end();
  return messages;
}

/** Exchange 4: shares of secrets of others, by owner; which secret follows from the list of survivors. */
export type Reveals = Iterable<readonly [owner: number, share: Bytes]> & { readonly size: number };

export function writeReveals(reveals: Reveals): Bytes {
  const writer = new Writer().u32(reveals.size);
  for (const [owner, share] of reveals) writer.u16(owner).raw(share);
  return writer.bytes();
}

export function readReveals(body: Bytes): RevealedShares {
  const reader = new Reader(body, 'the revealed shares');
  const reveals = new RevealedShares(reader.raw(reader.count(REVEAL) * REVEAL));
  const owners = new Set([...reveals].map(([owner]) => owner));
  if (owners.size !== reveals.size) reader.fail('it names one site twice');
  reader.end();
  return reveals;
}

/** Shares as they lie in a message, for the reason of `SealedEntries`. */
export class RevealedShares implements Reveals {
  readonly #bytes: Bytes;

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
  }

  get size(): number {
    return this.#bytes.length / REVEAL;
  }

  get(owner: number): Bytes | undefined {
    for (let at = 0; at < this.#bytes.length; at += REVEAL) {
      if (this.#owner(at) === owner) return this.#bytes.subarray(at + 2, at + REVEAL);
    }
    return undefined;
  }

  *[Symbol.iterator](): Generator<readonly [number, Bytes]> {
    for (let at = 0; at < this.#bytes.length; at += REVEAL) {
      yield [this.#owner(at), this.#bytes.subarray(at + 2, at + REVEAL)];
    }
  }

  #owner(at: number): number {
    return this.#bytes[at]! | (this.#bytes[at + 1]! << 8);
  }
}

function bitmapBytes(sites: number): number {
  return Math.ceil(sites / 8);
}

export function writeSites(listed: Iterable<number>, sites: number): Bytes {
  const bitmap = new Uint8Array(bitmapBytes(sites));
  for (const site of listed) bitmap[site >> 3]! |= 1 << (site & 7);
  return bitmap;
}

export function readSites(reader: Reader, sites: number): Set<number> {
  const bitmap = reader.raw(bitmapBytes(sites));
  const listed = new Set<number>();
  for (let site = 0; site < 8 * bitmap.length; site++) {
    if ((bitmap[site >> 3]! >> (site & 7)) & 1) listed.add(site);
  }
  if (Math.max(-1, ...listed) >= sites) reader.fail('it lists a site that the roster does not');
  return listed;
}

export function readSurvivors(bytes: Uint8Array, { roster }: AggregationContext): Set<number> {
  const reader = new Reader(bytes, 'the list of survivors');
  const survivors = readSites(reader, roster.length);
  reader.end();
  return survivors;
}

/**
 * Ranks that are processes, on one machine or several, each linked to the next:
 *
 *   rank 0 → rank 1 → … → rank n−1 → rank 0
 *
 * A sum goes round twice. The numbers are cut into as many pieces as there are ranks; on the first
 * round each piece gathers the ranks' numbers one after the other, on the second the finished pieces
 * are handed on. Every rank sends 2(n−1)/n of the numbers, however many ranks there are, which is the
 * least that is possible: Patarasuk and Yuan, "Bandwidth Optimal All-reduce Algorithms for Clusters of
 * Workstations" (2009).
 *
 * Long arrays are cut into buckets, which are sent one behind the other: while one is summed, the
 * next ones are on the wire. Each piece is summed in the order of the ring, starting at the rank
 * with its number, so that the bits depend only on the number of ranks.
 */
import type { FloatType } from '../../optimisers/updates.ts';
import { share, type Collective, type RankLost } from '../collective.ts';
import { bytesOf, bytesPerNumber, numbersIn, typeOfNumbers, type Numbers } from '../numbers.ts';
import { MOST_DATA } from './frame.ts';
import type { Link } from './link.ts';

interface Links {
  readonly next: Link;
  readonly previous: Link;
}

export interface RingPlace {
  readonly rank: number;
  readonly size: number;
  /** Whether a rank is on another machine than the leader. */
  readonly apart: boolean;
  /** To the rank after this one, and from the one before it. */
  readonly links: Links;
  /** Milliseconds after which a rank that sends nothing is given up. */
  readonly timeoutMs: number;
}

export function ringCollective({ rank, size, apart, links, timeoutMs }: RingPlace): Collective {
  let operations = 0;
  const modulo = (index: number) => ((index % size) + size) % size;
  const memory = (type: FloatType, length: number) =>
    numbersIn(type, new SharedArrayBuffer(length * bytesPerNumber(type)), length);

  /**
   * The next frame of the previous rank. When it takes long, the next rank is notified that this one
   * waits.
   */
  async function receive({ next, previous }: Links, tag: number): Promise<Uint8Array> {
    const timer = setTimeout(() => next.sendWaiting(), timeoutMs / 2);
    try {
      return await previous.receive(tag, timeoutMs);
    } finally {
      clearTimeout(timer);
    }
  }

  async function reduceRound(own: Numbers, into: Numbers): Promise<void> {
    const { next } = links;
    const tag = operations++;
    const buckets = bucketsOf(into, size);
    const pieceOf = (numbers: Numbers, [from, to]: Range, piece: number) => {
      const [start, end] = share(to - from, modulo(piece), size);
      return numbers.subarray(from + start, from + end);
    };
    for (const bucket of buckets) next.send(tag, bytesOf(pieceOf(own, bucket, rank)));
    const rounds = 2 * (size - 1);
    for (let round = 0; round < rounds; round++) {
      for (const bucket of buckets) {
        const piece = rank - round - 1;
        const target = pieceOf(into, bucket, piece);
        const received = numbersOf(await receive(links, tag), target);
        if (round < size - 1) addTo(target, pieceOf(own, bucket, piece), received);
        else target.set(received);
        if (round + 1 < rounds) next.send(tag, bytesOf(target));
      }
    }
  }

  async function gatherRound(own: Numbers, used: number): Promise<readonly Numbers[]> {
    const all: Numbers[] = Array.from({ length: size });
    all[rank] = own.slice(0, used);
    const { next, previous } = links;
    const tag = operations++;
    for (let round = 0; round < size - 1; round++) {
      const given = all[modulo(rank - round)]!;
      next.send(tag, new Uint8Array(Uint32Array.of(given.length).buffer));
      for (const [from, to] of bucketsOf(given, 1)) {
        next.send(tag, bytesOf(given.subarray(from, to)));
      }
      const size = await receive(links, tag);
      const count = size.byteLength === 4 ? new DataView(size.buffer).getUint32(0, true) : Infinity;
      // A rank must not gather more numbers than every rank has memory for.
      if (count > own.length) throw previous.wrong();
      const taken = memory(typeOfNumbers(own), count);
      for (const [from, to] of bucketsOf(taken, 1)) {
        const part = taken.subarray(from, to);
        part.set(numbersOf(await receive(links, tag), part));
      }
      all[modulo(rank - round - 1)] = taken;
    }
    return all;
  }

  function numbersOf(data: Uint8Array, like: Numbers): Numbers {
    if (data.byteLength !== like.byteLength) throw links.previous.wrong();
    return numbersIn(typeOfNumbers(like), data.buffer, like.length);
  }

  return {
    rank,
    size,
    overlap: apart ? 'worthwhile' : 'possible',
    own: memory,
    common: memory,
    part: (length) => [0, length],
    sum: reduceRound,
    publish: async () => undefined,
    gather: gatherRound,
    async close(lost?: RankLost) {
      links.next.close(lost?.rank);
      links.previous.close(lost?.rank);
    },
  };
}

type Range = readonly [from: number, to: number];

/** Ranges whose pieces each fit into a frame; at least one, so that every rank sends a frame. */
function bucketsOf(numbers: Numbers, pieces: number): readonly Range[] {
  const most = (MOST_DATA / numbers.BYTES_PER_ELEMENT) * pieces;
  const count = Math.max(1, Math.ceil(numbers.length / most));
  return Array.from({ length: count }, (_, i) => share(numbers.length, i, count));
}

function addTo(target: Numbers, own: Numbers, received: Numbers): void {
  for (let i = 0; i < target.length; i++) target[i] = received[i]! + own[i]!;
}

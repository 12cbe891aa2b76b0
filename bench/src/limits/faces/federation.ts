/** Frames of a stranger, and of a site whose key is proved, to a coordinator. */
import type { Connection } from '@skein/federation';
import { openSocket } from '@skein/federation/site/node';
import { urlOf } from '../enrolled-site.ts';
import type { Face, Places, Sent } from '../face.ts';
import { anything, type Json, pick, type Random, repeat, size, text } from './grammar.ts';

const KIB = 1024;
/** Frames that a channel holds for its reader, at most. */
const FRAMES = 64;

/** Kinds of frames by their numbers (`packages/federation/src/transport/messages.ts`), and the bytes of their headers. */
const KINDS = {
  hello: [1, KIB],
  prove: [3, KIB],
  accept: [5, KIB],
  task: [6, 1024 * KIB],
  answer: [7, 64 * KIB],
  want: [9, KIB],
  chunk: [10, KIB],
  fetch: [11, KIB],
  witness: [14, KIB],
  refuse: [16, 64 * KIB],
} as const;
type Kind = keyof typeof KINDS;

function frame(kind: Kind, header: string, bodyBytes: number): Uint8Array<ArrayBuffer> {
  const text = Buffer.from(header);
  const bytes = new Uint8Array(8 + text.length + bodyBytes);
  bytes.set([0x53, 0x4b, 1, KINDS[kind][0]]);
  new DataView(bytes.buffer).setUint32(4, text.length, true);
  bytes.set(text, 8);
  return bytes;
}

const hex = (bytes: number): string => 'ab'.repeat(bytes);

/** The members that a kind has, one of them amplified. */
function headerOf(kind: Kind, random: Random, run: string): string {
  const most = KINDS[kind][1];
  const big = anything(random, most * 0.9);
  const place = { round: 0, attempt: 0, phase: 'train' };
  const members: Record<Kind, Record<string, Json>> = {
    hello: { run, key: hex(32), nonce: hex(32) },
    prove: { signature: hex(64), invitation: text(random, 200) },
    accept: { plan: hex(32), signature: hex(64), releases: 1 },
    task: { place, remainingMs: 1, fields: { a: 1 } },
    answer: { place, fields: fields(random, most), signature: hex(64) },
    want: { digest: hex(32), from: 0, to: 2 ** 50 },
    chunk: { digest: hex(32), offset: 0 },
    fetch: { digest: hex(32) },
    witness: { sequence: 0, hash: hex(32), signature: hex(64) },
    refuse: {
      code: 'INTERNAL',
      message: text(random, 2000),
      place,
      accused: repeat(size(random, 254), () => hex(32)),
    },
  };
  const own = members[kind];
  if (random() < 0.3) own[pick(random, Object.keys(own))] = big;
  if (random() < 0.1) return '['.repeat(size(random, most)) + ']'.repeat(10);
  return JSON.stringify(own);
}

/** Names with numbers, and lists of numbers. */
function fields(random: Random, bytes: number): Json {
  const count = size(random, 60);
  const each = Math.floor(Math.min(16_000, bytes / 3) / count);
  return Object.fromEntries(
    repeat(count, (index) => [`f${index}`, repeat(each, () => pick(random, [0, -1, 1e9, 1e-300]))]),
  );
}

function frames(random: Random, kinds: readonly Kind[], run: string) {
  const kind = pick(random, kinds);
  const made = frame(kind, headerOf(kind, random, run), pick(random, [0, 256 * KIB]));
  const count = size(random, FRAMES);
  return { what: `${count} of ${kind}`, made, count };
}

/** A frame without a kind: a coordinator handles it after the others, and ends the connection. */
const LAST = new Uint8Array([0x53, 0x4b, 1, 0, 0, 0, 0, 0]);

/** @param open opens the connection that brings the frames. */
function sending(
  { what, made, count }: ReturnType<typeof frames>,
  open: (places: Places) => Promise<Connection>,
): Sent {
  return {
    what,
    bytes: made.length * count,
    async send(places) {
      const connection = await open(places);
      const ended = new Promise<void>((resolve) => {
        connection.listen({ onFrame: () => {}, onClose: resolve });
      });
      for (let sent = 0; sent < count; sent++) connection.send(made.slice());
      connection.send(LAST.slice());
      await ended;
      return 'closed';
    },
  };
}

export const federationFaces: readonly Face[] = [
  {
    name: 'stranger',
    make: (random) =>
      sending(frames(random, Object.keys(KINDS) as Kind[], 'f-unknown'), ({ node }) =>
        openSocket(urlOf(node.target)),
      ),
  },
  {
    name: 'site',
    make: (random) =>
      sending(
        frames(random, ['answer', 'refuse', 'want', 'chunk', 'fetch', 'witness', 'accept'], ''),
        ({ site }) => site.open(),
      ),
  },
];

/**
 * The messages of a federation. Runs in Node and in the browser; docs/reference/federation-protocol.md
 * describes the exchange.
 *
 * A frame is one binary WebSocket message:
 *
 *   "SK" │ version, u8 │ kind, u8 │ length of the header, u32 │ header, JSON │ body …
 *
 * Little-endian. The header has bounds and a schema of its own for each kind: the bounds are checked before it is
 * parsed, the schema refuses further fields. A payload of up to `CHUNK_BYTES` is the body; a longer one follows in `chunk` frames, each asked for
 * by a `want`.
 */
import { SkeinError } from '@skein/api/errors';
import { z } from 'zod';
import { utf8 } from '@skein/api/canonical';
import { type JsonBounds, readJson } from '@skein/api/foreign-json';
import { PROTOCOL } from '../plan/plan.ts';
import { Digest } from '../plan/terms.ts';

/** Bytes of a body at most. */
export const CHUNK_BYTES = 256 * 1024;
/** Bytes of a body that are sent at a time: a frame is in the receiver's memory as a whole. */
export const PART_BYTES = 64 * 1024;
const HEAD = 8;
const KIB = 1024;

/** Keys, nonces, digests, a place. */
const SMALL: JsonBounds = { bytes: KIB, depth: 2, values: 32, members: 16 };
/**
 * Fields of a phase: names with numbers, and lists of numbers. The largest payload, 1 GiB, has some 4,000 chunks whose
 * lengths are given, and a committee has 10,000 sites.
 */
const LISTS: JsonBounds = { bytes: 64 * KIB, depth: 3, values: 16_384, members: 64 };
/** A plan of thousands of columns, or an entry of the ledger with 10,000 sites. */
const DOCUMENT: JsonBounds = { bytes: 1024 * KIB, depth: 16, values: 200_000, members: 4096 };
/** Other sites of a roster with pairwise masks, at most. */
const MOST_ACCUSED = 254;

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
export const Key = hex(32);
export const SignatureHex = hex(64);
const Nonce = hex(32);
const RunId = z.string().regex(/^[a-z0-9-]{1,64}$/);

/** The attempt of a `task` and its `answer`. A round is tried again as the next attempt. */
export const Place = z.strictObject({
  round: z.int().min(0),
  attempt: z.int().min(0),
  phase: z.string().min(1).max(40),
});
export type Place = z.output<typeof Place>;

/** The value that a site signs with an answer. */
export interface SignedAnswer {
  readonly run: string;
  /** Digest of the plan. */
  readonly plan: string;
  readonly place: Place;
  readonly fields: unknown;
  /** sha-256 of the payload in hex; absent without one. */
  readonly payload?: string | undefined;
}

const Payload = z.strictObject({ digest: Digest, bytes: z.int().min(0) });
/** Fields of a phase, which its aggregation checks. Parsed fields are JSON, and need no second check. */
const Fields = z.record(z.string(), z.unknown() as unknown as z.ZodJSONSchema);

/** Each kind with its number on the wire, the bounds of its header, and what it holds. */
const KINDS = {
  /** Site → coordinator: begins the handshake. */
  hello: [1, SMALL, { run: RunId, key: Key, nonce: Nonce }],
  /** Coordinator → site: proves the coordinator's key. */
  challenge: [2, SMALL, { key: Key, nonce: Nonce, signature: SignatureHex }],
  /** Site → coordinator: proves the site's key; with an invitation it enrols. */
  prove: [3, SMALL, { signature: SignatureHex, invitation: z.string().max(200).optional() }],
  /** Coordinator → site: the plan to accept, which the site checks against its own terms. */
  welcome: [4, DOCUMENT, { name: z.string(), role: z.enum(['site', 'helper']), plan: z.unknown() }],
  /** Site → coordinator: the signed digest of the plan. */
  accept: [
    5,
    SMALL,
    {
      plan: Digest,
      signature: SignatureHex,
      /** The newest entry of the ledger that it has seen. */
      seen: z.strictObject({ sequence: z.int().min(0), hash: Digest }).optional(),
      /** Releases that it has given: answers to the phase that releases a sum. */
      releases: z.int().min(0).optional(),
    },
  ],
  /** Coordinator → site. A repeated task is answered with the stored answer. */
  task: [
    6,
    DOCUMENT,
    { place: Place, remainingMs: z.int().min(0), fields: Fields, payload: Payload.optional() },
  ],
  /** Site → coordinator: once per place, ever. */
  answer: [
    7,
    LISTS,
    { place: Place, fields: Fields, signature: SignatureHex, payload: Payload.optional() },
  ],
  /** Coordinator → site: the answer is stored. */
  acknowledge: [8, SMALL, { place: Place }],
  /** Receiver → sender: bytes `from` to `to` of a payload. `from` at its end: all has arrived. */
  want: [9, SMALL, { digest: Digest, from: z.int().min(0), to: z.int().min(0) }],
  /** Sender → receiver: part of a payload; its body. */
  chunk: [10, SMALL, { digest: Digest, offset: z.int().min(0) }],
  /** Site → coordinator: asks for the model of the plan. */
  fetch: [11, SMALL, { digest: Digest }],
  /** Coordinator → site: what was fetched. */
  content: [12, SMALL, { payload: Payload }],
  /** Coordinator → site: an entry of the ledger. */
  entry: [13, DOCUMENT, { entry: z.unknown() }],
  /** Site → coordinator: its signature of an entry. */
  witness: [14, SMALL, { sequence: z.int().min(0), hash: Digest, signature: SignatureHex }],
  /** Coordinator → site: how the federation stands. */
  status: [
    15,
    LISTS,
    { status: z.string().max(40), round: z.int().min(0), reason: z.string().max(2000).optional() },
  ],
  /** Either side: a coded error. Outside a place the connection ends after it. A site accuses sites that dealt it false shares. */
  refuse: [
    16,
    LISTS,
    {
      code: z.string().max(60),
      message: z.string().max(2000),
      retryAfterMs: z.number().min(0).optional(),
      place: Place.optional(),
      accused: z.array(Key).min(1).max(MOST_ACCUSED).optional(),
    },
  ],
} as const;

type Kinds = typeof KINDS;
export type Kind = keyof Kinds;

/** Messages of a stranger: its key is not proved yet. */
export const FROM_STRANGER: ReadonlySet<Kind> = new Set(['hello', 'prove']);
/** Messages of a site or a helper once its key is proved. */
export const FROM_SITE: ReadonlySet<Kind> = new Set([
  'accept',
  'answer',
  'want',
  'chunk',
  'fetch',
  'witness',
  'refuse',
]);

/** Bytes of a frame of these kinds, at most. */
const mostBytes = (kinds: Iterable<Kind>): number =>
  HEAD + CHUNK_BYTES + Math.max(...Array.from(kinds, (kind) => KINDS[kind][1].bytes));
export const MOST_FRAME = mostBytes(Object.keys(KINDS) as Kind[]);
export const MOST_SITE_FRAME = mostBytes(FROM_SITE);

const SCHEMAS = Object.fromEntries(
  Object.entries(KINDS).map(([kind, [, , shape]]) => [kind, z.strictObject(shape)]),
) as { readonly [K in Kind]: z.ZodObject<Kinds[K][2], z.core.$strict> };
const KIND_OF = new Map(
  Object.entries(KINDS).map(([kind, [number]]) => [number as number, kind as Kind]),
);

type Header<K extends Kind> = z.output<z.ZodObject<Kinds[K][2], z.core.$strict>>;
export type Message = { readonly [K in Kind]: { readonly kind: K } & Header<K> }[Kind];
export type MessageOf<K extends Kind> = Extract<Message, { kind: K }>;

export interface Frame {
  readonly message: Message;
  readonly body: Uint8Array<ArrayBuffer>;
}

const NONE = new Uint8Array(0);

export function encodeFrame(message: Message, body: Uint8Array = NONE): Uint8Array<ArrayBuffer> {
  const frame = emptyFrame(message, body.length);
  frame.body.set(body);
  return frame.bytes;
}

/** A frame whose body, a part of its bytes, is to be written. */
export function emptyFrame(
  { kind, ...header }: Message,
  bodyBytes: number,
): { readonly bytes: Uint8Array<ArrayBuffer>; readonly body: Uint8Array<ArrayBuffer> } {
  const text = utf8(JSON.stringify(header));
  const bytes = new Uint8Array(HEAD + text.length + bodyBytes);
  bytes.set([0x53, 0x4b, PROTOCOL, KINDS[kind][0]]);
  new DataView(bytes.buffer).setUint32(4, text.length, true);
  bytes.set(text, HEAD);
  return { bytes, body: bytes.subarray(HEAD + text.length) };
}

/**
 * @param takes kinds that may come now; of others nothing is parsed. Default: all.
 * @throws SkeinError FEDERATION_PROTOCOL, naming what is wrong.
 */
export function decodeFrame(frame: Uint8Array<ArrayBuffer>, takes?: ReadonlySet<Kind>): Frame {
  if (frame.length < HEAD || frame[0] !== 0x53 || frame[1] !== 0x4b) {
    throw protocolError('A frame does not begin with "SK".');
  }
  if (frame[2] !== PROTOCOL) {
    throw protocolError(
      `The other side speaks version ${frame[2]} of the protocol, this one version ${PROTOCOL}.`,
    );
  }
  const kind = KIND_OF.get(frame[3]!);
  if (kind === undefined) throw protocolError(`There is no kind ${frame[3]} of frame.`);
  if (takes?.has(kind) === false) throw protocolError(`A ${kind} frame is not taken now.`);
  const length = new DataView(frame.buffer, frame.byteOffset).getUint32(4, true);
  if (length > frame.length - HEAD) throw protocolError(`A ${kind} frame is cut off.`);
  const body = frame.subarray(HEAD + length);
  if (body.length > CHUNK_BYTES)
    throw protocolError(`The body of a ${kind} frame has ${body.length} bytes.`);
  const parsed = SCHEMAS[kind].safeParse(jsonOf(kind, frame.subarray(HEAD, HEAD + length)));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw protocolError(
      `The header of a ${kind} frame is invalid: ${issue?.path.join('.')}: ${issue?.message}.`,
    );
  }
  return { message: { kind, ...parsed.data } as Message, body };
}

function jsonOf(kind: Kind, bytes: Uint8Array): unknown {
  try {
    return readJson(bytes, KINDS[kind][1], 'header');
  } catch (error) {
    throw protocolError(`A ${kind} frame is refused. ${(error as Error).message}`);
  }
}

/** The other side has broken the protocol; the message gives the fault. */
export const protocolError = (message: string, options?: ErrorOptions): SkeinError =>
  new SkeinError('FEDERATION_PROTOCOL', message, options);

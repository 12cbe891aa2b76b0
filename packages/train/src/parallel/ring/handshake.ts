/**
 * How two ranks prove to each other that they know the secret, before either reads a frame:
 *
 *   caller → hello: magic, purpose, rank, digest of the plan, nonce          64 bytes
 *   answer ← nonce, HMAC(secret, "answer", hello, nonce)                     48 bytes
 *   caller → HMAC(secret, "caller", hello, nonce)                            32 bytes
 *
 * Both nonces are in both proofs and in the keys of the session, so that a recorded session cannot
 * be replayed. The lengths are fixed: an unauthenticated caller occupies at most 64 bytes.
 *
 * It authenticates; it does not encrypt. Gradients reveal information about their data: between
 * machines that do not share a trusted network, use a tunnel.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

export interface Hello {
  /** A request for a place at the leader, or for a link of the ring. */
  readonly purpose: 'place' | 'ring';
  readonly rank: number;
}

export interface SessionKeys {
  readonly send: Uint8Array;
  readonly receive: Uint8Array;
}

/** Reads exactly so many bytes. */
export type ReadBytes = (count: number) => Promise<Uint8Array>;
export type WriteBytes = (bytes: Uint8Array) => void;

const MAGIC = Buffer.from('skein/1\n', 'latin1');
const PURPOSES = ['place', 'ring'] as const;
const NONCE = 16;
const PROOF = 32;
export const HELLO_BYTES = MAGIC.length + 8 + PROOF + NONCE;

export interface Credentials {
  readonly secret: Uint8Array;
  /** The plan of the training: ranks with different plans do not train together. */
  readonly plan: string;
}

/** The caller's side. @throws Error when the peer does not know the secret. */
export async function call(
  { purpose, rank }: Hello,
  { secret, plan }: Credentials,
  read: ReadBytes,
  write: WriteBytes,
): Promise<SessionKeys> {
  const numbers = Buffer.alloc(8);
  numbers.writeUInt32LE(PURPOSES.indexOf(purpose), 0);
  numbers.writeUInt32LE(rank, 4);
  const hello = Buffer.concat([MAGIC, numbers, digestOf(plan), randomBytes(NONCE)]);
  write(hello);
  const answer = Buffer.from(await read(NONCE + PROOF));
  const transcript = Buffer.concat([hello, answer.subarray(0, NONCE)]);
  if (!timingSafeEqual(answer.subarray(NONCE), proof(secret, 'answer', transcript))) {
    throw new Error('it does not know the secret, or trains something else');
  }
  write(proof(secret, 'caller', transcript));
  return {
    send: proof(secret, 'caller to answer', transcript),
    receive: proof(secret, 'answer to caller', transcript),
  };
}

/**
 * The answering side.
 * @throws Error when the caller does not know the secret, or trains another plan.
 */
export async function answer(
  { secret, plan }: Credentials,
  read: ReadBytes,
  write: WriteBytes,
): Promise<Hello & { readonly keys: SessionKeys }> {
  const hello = Buffer.from(await read(HELLO_BYTES));
  const at = MAGIC.length;
  const purpose = PURPOSES[hello.readUInt32LE(at)];
  if (!hello.subarray(0, at).equals(MAGIC) || purpose === undefined) {
    throw new Error('it speaks another language');
  }
  const nonce = randomBytes(NONCE);
  const transcript = Buffer.concat([hello, nonce]);
  write(Buffer.concat([nonce, proof(secret, 'answer', transcript)]));
  const given = await read(PROOF);
  if (!timingSafeEqual(given, proof(secret, 'caller', transcript))) {
    throw new Error('it does not know the secret');
  }
  // An unauthenticated caller does not learn the plan; an authenticated one sees the connection
  // close.
  if (!hello.subarray(at + 8, at + 8 + PROOF).equals(digestOf(plan))) {
    throw new PlanDiffers(hello.readUInt32LE(at + 4));
  }
  return {
    purpose,
    rank: hello.readUInt32LE(at + 4),
    keys: {
      send: proof(secret, 'answer to caller', transcript),
      receive: proof(secret, 'caller to answer', transcript),
    },
  };
}

/** A rank that holds the secret, but was started with other data or settings. */
export class PlanDiffers extends Error {
  readonly rank: number;

  constructor(rank: number) {
    super(`rank ${rank} trains something else`);
    this.rank = rank;
  }
}

function digestOf(plan: string): Buffer {
  return createHash('sha256').update(plan).digest();
}

function proof(secret: Uint8Array, role: string, transcript: Uint8Array): Buffer {
  return createHmac('sha256', secret).update(`skein ${role}\n`).update(transcript).digest();
}

/**
 * The signed form of every message:
 *
 *     version u8 · phase u8 · sender u16 · context digest 32 · body · Ed25519 signature 64
 *
 * The signature covers all that precedes it. The context digest binds a message to its protocol
 * version, run, round, plan and roster: one of another round is refused, even with a valid signature.
 */
import { SkeinError } from '@skein/api/errors';
import { PROTOCOL_VERSION } from '../context.ts';
import type { Bytes, Signer } from '../crypto/suite.ts';
import { Reader, sameBytes, Writer } from './bytes.ts';
import { suite } from '../crypto/platform-suite.ts';

/** Kind of a message. Protocol A has the first five, protocol B the last three. */
export const PHASES = {
  keys: 0,
  shares: 1,
  input: 2,
  consistency: 3,
  unmasking: 4,
  sealedInput: 16,
  clients: 17,
  masks: 18,
} as const;

export type Phase = keyof typeof PHASES;

/** The five exchanges of protocol A, in order. */
export const EXCHANGES = ['keys', 'shares', 'input', 'consistency', 'unmasking'] as const;
export type Exchange = (typeof EXCHANGES)[number];

const SIGNATURE = 64;

export interface Envelope {
  readonly sender: number;
  readonly body: Bytes;
}

export interface Binding {
  /** Result of `contextDigest`. */
  readonly digest: Bytes;
  readonly phase: Phase;
}

export async function signEnvelope(
  { digest, phase, sender, body }: Envelope & Binding,
  signer: Signer,
): Promise<Bytes> {
  const signed = new Writer()
    .u8(PROTOCOL_VERSION)
    .u8(PHASES[phase])
    .u16(sender)
    .raw(digest)
    .raw(body)
    .bytes();
  return new Writer()
    .raw(signed)
    .raw(await signer.sign(signed))
    .bytes();
}

/**
 * Opens a message of this context and phase.
 *
 * @param identities Ed25519 public keys by number of the sender.
 * @throws SkeinError AGGREGATION_CONTEXT_OTHER, AGGREGATION_SIGNATURE_INVALID, or
 *   AGGREGATION_INVALID where the bytes cannot be read.
 */
export async function openEnvelope(
  message: Uint8Array,
  { digest, phase }: Binding,
  identities: readonly Bytes[],
): Promise<Envelope> {
  const { sender, body, signed, signature } = readEnvelope(message, { digest, phase });
  const identity = identities[sender];
  if (identity === undefined) {
    throw new SkeinError('AGGREGATION_SIGNATURE_INVALID', `There is no participant ${sender}.`);
  }
  if (!(await suite.verify(identity, signed, signature))) {
    throw new SkeinError(
      'AGGREGATION_SIGNATURE_INVALID',
      `A message (${phase}) is not signed by participant ${sender}, whom it names.`,
    );
  }
  return { sender, body };
}

/** Reads a message without checking its signature. */
export function readEnvelope(message: Uint8Array, { digest, phase }: Binding) {
  const reader = new Reader(message, `a message (${phase})`);
  const version = reader.u8();
  if (version !== PROTOCOL_VERSION) {
    throw new SkeinError(
      'AGGREGATION_CONTEXT_OTHER',
      `A message has protocol version ${version}; this is version ${PROTOCOL_VERSION}.`,
    );
  }
  if (reader.u8() !== PHASES[phase]) reader.fail('it belongs to another phase');
  const sender = reader.u16();
  if (!sameBytes(reader.raw(32), digest)) {
    throw new SkeinError(
      'AGGREGATION_CONTEXT_OTHER',
      `A message (${phase}) of participant ${sender} belongs to another run, round, plan or roster.`,
    );
  }
  if (reader.left < SIGNATURE) reader.fail('it ends too early');
  const body = reader.raw(reader.left - SIGNATURE);
  const signed = new Reader(message, 'a message').raw(message.length - SIGNATURE);
  return { sender, body, signed, signature: reader.raw(SIGNATURE) };
}

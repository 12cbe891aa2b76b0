/**
 * What a site remembers between messages, reconnections and restarts: its identity, the plans that
 * it has accepted, and what it has answered.
 *
 * The invariant is that a (run, round, phase) is answered once, ever: an answer is stored before it
 * is sent, and later questions get the stored bytes. Two different answers to one question would let
 * a coordinator subtract one masked update from the other.
 *
 * Secrets of a round are erased when it ends. That it was answered is never forgotten.
 */
export interface SiteMemory {
  /** The Ed25519 key pair of this site; the same each time. Made and stored on the first call. */
  identity(): Promise<CryptoKeyPair>;
  /** The digest of the plan that this site has accepted for a run. */
  acceptedOf(run: string): Promise<string | undefined>;
  /** @returns the digest that was stored first: a run has one plan. */
  accept(run: string, planDigest: string): Promise<string>;
  /** What was answered; empty when the round has ended since. */
  answerOf(question: Question): Promise<Uint8Array | undefined>;
  /**
   * Stores an answer, and the state of the round after it, in one step.
   * @returns the answer that was stored first.
   */
  answerOnce(question: Question, answer: Uint8Array, state?: Uint8Array): Promise<Uint8Array>;
  /** The newest state of a round. */
  stateOf(run: string, round: number): Promise<Uint8Array | undefined>;
  /** Erases the state and the answers of a round, but not the fact that they were given. */
  endRound(run: string, round: number): Promise<void>;
  close(): Promise<void>;
}

export interface Question {
  readonly run: string;
  /** From 1. */
  readonly round: number;
  /** A phase may be asked several times in a round only where its name differs. */
  readonly phase: string;
}

export const EMPTY: Uint8Array = new Uint8Array();

/**
 * The site's memory between messages, reconnections and restarts: its identity, the plans that
 * it has accepted, and its answers.
 *
 * The invariant is that a (run, round, attempt, phase) is answered once, ever: an answer is stored before it
 * is sent, and later questions get the stored bytes. Two different answers to one question would let
 * a coordinator subtract one masked update from the other.
 *
 * Secrets of an attempt are erased when a later one is asked for, and when the run ends. The mark that it was answered stays for ever.
 */
export interface SiteMemory {
  /** The Ed25519 key pair of this site; the same each time. Made and stored on the first call. */
  identity(): Promise<CryptoKeyPair>;
  /** The digest of the plan that this site has accepted for a run. */
  acceptedOf(run: string): Promise<string | undefined>;
  /** @returns the digest that was stored first: a run has one plan. */
  accept(run: string, planDigest: string): Promise<string>;
  /** The stored answer; empty when it was erased since. */
  answerOf(question: Question): Promise<Uint8Array | undefined>;
  /**
   * Stores an answer, and the state of the round after it, in one step.
   * @returns the answer that was stored first.
   */
  answerOnce(question: Question, answer: Uint8Array, state?: Uint8Array): Promise<Uint8Array>;
  /** Attempts of a run in which a phase was answered; erased answers count. */
  attemptsOf(run: string, phase: string): Promise<number>;
  /** The newest state of an attempt. */
  stateOf(attempt: Attempt): Promise<Uint8Array | undefined>;
  /** State that a run carries from one round to the next. @param run its training; with a word behind it another state. */
  carriedOf(run: string): Promise<Uint8Array | undefined>;
  /** Replaces it; undefined erases it. */
  carry(run: string, bytes: Uint8Array | undefined): Promise<void>;
  /** Erases states and answers of earlier rounds and attempts, but not the fact that they were given. */
  eraseBefore(attempt: Attempt): Promise<void>;
  close(): Promise<void>;
}

/** A round, tried for the n-th time. */
export interface Attempt {
  readonly run: string;
  readonly round: number;
  readonly attempt: number;
}

export interface Question extends Attempt {
  readonly phase: string;
}

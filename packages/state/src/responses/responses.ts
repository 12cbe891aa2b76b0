/**
 * Answers of language models that a caller may read again and continue: of each owner the newest ones,
 * within its bounds and until their time ends. An owner reads and removes only what is its own.
 *
 * A response that continues another one names it, so a conversation is a chain and no text is stored
 * twice. One whose earlier part is gone can be read, but not continued.
 *
 * An acknowledged write survives the end of its process, as a budget does; it does not wait for the disk.
 */
export interface StoredResponse {
  readonly id: string;
  /** The response that it continues. */
  readonly previous?: string | undefined;
  /** JSON. */
  readonly value: string;
}

export interface ResponseBounds {
  /** Responses of one owner at most. */
  readonly count: number;
  /** Bytes of their values together, at most. */
  readonly bytes: number;
  /** When this one is removed, in ms since the epoch. */
  readonly endsAt: number;
}

export interface Responses {
  /**
   * Removes the owner's responses that end first, until the new one fits.
   * @returns false: it is larger than all of them may be, and was not stored.
   */
  putResponse(owner: string, response: StoredResponse, bounds: ResponseBounds): Promise<boolean>;
  /** The response and those that it continues, newest first; empty: the owner has none of this id. */
  responseChain(owner: string, id: string): Promise<StoredResponse[]>;
  /** @returns false when there was none. */
  removeResponse(owner: string, id: string): Promise<boolean>;
  /** Removes the responses of all owners. */
  removeResponses(): Promise<void>;
}

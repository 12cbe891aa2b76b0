/** An entry that a participant has seen. */
export interface SeenEntry {
  readonly sequence: number;
  readonly hash: string;
}

/** The text of a command line: the number, a colon, the hash in hex. */
export const seenText = ({ sequence, hash }: SeenEntry): string => `${sequence}:${hash}`;

/** @throws RangeError for another text. */
export function seenOf(text: string): SeenEntry {
  const [, sequence, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (hash === undefined) {
    throw new RangeError(`"${text}" is not the number of an entry, ":" and its hash of 64 digits`);
  }
  return { sequence: Number(sequence), hash };
}

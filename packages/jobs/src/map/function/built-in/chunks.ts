/**
 * Cuts a text into chunks of at most a number of tokens, each the same characters as in the text. Chunks end between words;
 * a word with more tokens than a chunk may have is cut between its characters.
 */

export interface Chunk {
  readonly text: string;
  readonly tokens: number;
}

export interface ChunkOptions {
  /** Most tokens of a chunk. */
  readonly tokens: number;
  /** Most tokens at the beginning of a chunk that repeat the end of the one before; fewer than `tokens`. */
  readonly overlap: number;
}

/** Words with the spaces before them, and the spaces at the end. */
const WORDS = /\s*\S+|\s+$/gu;

/** @param count tokens of a text; two words together may have fewer or more than both alone. */
export function chunksOf(
  text: string,
  count: (text: string) => number,
  { tokens, overlap }: ChunkOptions,
): Chunk[] {
  const pieces = (text.match(WORDS) ?? []).flatMap((word) => fitting(word, count, tokens));
  const sizes = pieces.map(count);
  const chunks: Chunk[] = [];
  let start = 0;
  for (let done = 0; done < pieces.length;) {
    let end = start;
    for (let sum = 0; end < pieces.length && sum + sizes[end]! <= tokens; end++) sum += sizes[end]!;
    let found = whole(pieces, start, end, count);
    while (found.tokens > tokens && end > start + 1) found = whole(pieces, start, --end, count);
    if (end <= done && start < done) {
      // The repeated words leave no space for the next one.
      start += 1;
      continue;
    }
    end = Math.max(end, start + 1);
    chunks.push(end === start + 1 ? whole(pieces, start, end, count) : found);
    done = end;
    start = end;
    for (let sum = 0; start > 0 && sum + sizes[start - 1]! <= overlap; start--) {
      sum += sizes[start - 1]!;
    }
  }
  return chunks;
}

function whole(
  pieces: readonly string[],
  start: number,
  end: number,
  count: (text: string) => number,
): Chunk {
  const text = pieces.slice(start, end).join('');
  return { text, tokens: count(text) };
}

/** A word, or parts of it that fit. One character is never cut, whatever its tokens are. */
function fitting(word: string, count: (text: string) => number, most: number): string[] {
  if (count(word) <= most) return [word];
  const characters = Array.from(word);
  if (characters.length === 1) return [word];
  const middle = Math.ceil(characters.length / 2);
  return [characters.slice(0, middle), characters.slice(middle)].flatMap((half) =>
    fitting(half.join(''), count, most),
  );
}

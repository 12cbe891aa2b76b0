/** The output of an attempt, while it is written. */
import { bytes, commands, useFresh } from '@skein/ui';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { node } from '../node.ts';

const PIECE_BYTES = 256 * 1024;
/** A page stays fast with this much text; one command prints all of it. */
const KEPT = 512 * 1024;
/** Pixels from the end within which the view follows the end. */
const NEAR_END = 30;

interface Read {
  readonly text: string;
  /** Bytes at the beginning that are not shown. */
  readonly leftOut: number;
  /** The offset of the next read; undefined before the first one. */
  readonly offset: number | undefined;
  readonly done: boolean;
}

const NOTHING: Read = { text: '', leftOut: 0, offset: undefined, done: false };

/** @param nudge a number that changes when there may be more to read. */
export function Log({
  id,
  attempt,
  nudge,
  failed,
}: {
  readonly id: string;
  readonly attempt: number;
  readonly nudge: number;
  readonly failed: (error: unknown) => void;
}) {
  const read = useRef(NOTHING);
  const identity = `${id} ${attempt}`;
  const { value, error, poke } = useFresh(
    { everyMs: 10_000, gapMs: 250, identity },
    async (signal) => {
      read.current = await readOn(id, attempt, read.current, signal);
      return read.current;
    },
  );
  useEffect(() => {
    poke();
  }, [nudge]);
  useEffect(() => {
    if (error !== undefined) failed(error);
  }, [error]);

  const element = useRef<HTMLPreElement>(null);
  const follows = useRef(true);
  const { text, leftOut, done } = value ?? NOTHING;
  useLayoutEffect(() => {
    const log = element.current;
    if (log !== null && follows.current) log.scrollTop = log.scrollHeight;
  }, [text]);
  return (
    <div>
      <small class="log-note">
        {leftOut > 0
          ? commands(`The first ${bytes(leftOut)} are left out; skein jobs logs ${id} prints them.`)
          : done && text === ''
            ? 'The job printed nothing.'
            : ''}
      </small>
      <pre
        class="log"
        tabIndex={0}
        role="region"
        aria-label="Log"
        ref={element}
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
          follows.current = scrollHeight - scrollTop - clientHeight < NEAR_END;
        }}
      >
        {text}
      </pre>
    </div>
  );
}

/** Reads to the current end of the log. */
async function readOn(
  id: string,
  attempt: number,
  before: Read,
  signal: AbortSignal,
): Promise<Read> {
  let { text, leftOut, offset, done } = before;
  while (!done && !signal.aborted) {
    if (offset === undefined) {
      const { sizeBytes } = await node().readJobLog({ id, attempt, maxBytes: 4 }, { signal });
      offset = Math.max(sizeBytes - KEPT, 0);
      leftOut = offset;
    }
    const piece = await node().readJobLog(
      { id, attempt, offset, maxBytes: PIECE_BYTES },
      { signal },
    );
    text += piece.text;
    if (text.length > 2 * KEPT) {
      leftOut += text.length - KEPT;
      text = text.slice(-KEPT);
    }
    const grew = piece.next > offset;
    offset = piece.next;
    done = piece.ended && !grew;
    if (!grew) break;
  }
  return { text, leftOut, offset, done };
}

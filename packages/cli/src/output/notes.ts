/**
 * Messages of a command while it works, on stderr, so that stdout holds only the result. On a
 * terminal one line is rewritten in place; elsewhere only finished steps are written.
 */
import { cutTo, styleOf, type Style } from './style.ts';
import { oneLine, shownOn, type NotesStream } from './terminal.ts';

export interface Notes {
  readonly style: Style;
  /** Writes a line that stays. */
  line(text: string): void;
  /** Shows the current activity; the next call replaces it. Only on a terminal. */
  progress(text: string): void;
  /** Progress on a terminal, and a line in a log. */
  step(text: string): void;
  /** Removes the progress line. */
  clear(): void;
}

export function createNotes(
  stream: NotesStream,
  env: Readonly<Record<string, string | undefined>>,
): Notes {
  const style = styleOf(stream, env);
  const rewrites = stream.isTTY === true && env['TERM'] !== 'dumb';
  let shown = false;
  const clear = (): void => {
    if (shown) stream.write('\r\u001B[K');
    shown = false;
  };
  const line = (text: string): void => {
    clear();
    stream.write(`${shownOn(stream, text)}\n`);
  };
  const progress = (given: string): void => {
    if (!rewrites) return;
    stream.write(`\r\u001B[K${cutTo(oneLine(given), style.width - 1)}`);
    shown = true;
  };
  return { style, line, progress, step: rewrites ? progress : line, clear };
}

/** Prints the next command, after a result that is only an id. @param text with a `skein …`. */
export function noteNext(notes: Notes, text: string): void {
  notes.line(notes.style.dim(notes.style.commands(text)));
}

/** `████████░░░░`: how much of the whole is done, from 0 to 1. */
export function bar(share: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return '█'.repeat(full) + '░'.repeat(width - full);
}

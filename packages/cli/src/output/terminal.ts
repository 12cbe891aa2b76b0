/**
 * The user's terminal, which interprets control sequences. All output of a command passes here;
 * text from jobs, models and nodes is made harmless. Files and pipes get every byte unchanged.
 */
import { safeLine, safeText } from '@skein/api/safe-text';
import { painted } from './style.ts';

export interface NotesStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** `own`: may have colours of Skein. `raw`: as it is. */
export type TextKind = 'own' | 'raw';

/** A text as it may be written to a stream. */
export function shownOn(stream: NotesStream, text: string, kind: TextKind = 'own'): string {
  if (kind === 'raw') return text;
  return stream.isTTY === true ? painted(text, safeText) : painted(text);
}

/** For the line that is rewritten in place: it must not grow to two. */
export function oneLine(text: string): string {
  return painted(text, safeText).replaceAll('\n', ' ');
}

/** Name of a job or a file, inside a line of Skein's. */
export const nameText = safeLine;

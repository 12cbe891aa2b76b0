/** A name in a path. */
import { SkeinError } from '@skein/api';
import { brief } from './brief.ts';

/** @throws SkeinError REQUEST_INVALID for an escape such as `%ZZ`. */
export function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new SkeinError(
      'REQUEST_INVALID',
      `The path segment ${brief(segment)} is not valid percent-encoding.`,
    );
  }
}

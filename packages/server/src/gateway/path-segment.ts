/** A name in a path. */
import { brief, invalidRequest } from './brief.ts';

/** @throws SkeinError REQUEST_INVALID for an escape such as `%ZZ`. */
export function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    throw invalidRequest(`The path segment ${brief(segment)} is not valid percent-encoding.`);
  }
}

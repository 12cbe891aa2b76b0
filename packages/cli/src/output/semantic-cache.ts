/** What a semantic cache has done, in one line. */
import type { LanguageView } from '@skein/api';

type Cache = NonNullable<LanguageView['models'][number]['semanticCache']>;

export function semanticCacheLine(cache: Cache): string {
  const { lookups, hits, failed, compared, different, suggestedThreshold } = cache;
  const without = failed === 0 ? '' : `, ${failed} without a vector in time`;
  const suggestion =
    suggestedThreshold === undefined ? '' : `; 1 % would be false from ${suggestedThreshold} on`;
  return `semantic cache ${hits} of ${lookups} questions${without}; ${different} of ${compared} compared answers are false${suggestion}`;
}

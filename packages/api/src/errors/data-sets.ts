/** Errors of data sets. */
import { type ErrorRow, UNKNOWN, UNMET } from './row.ts';

export const DATA_SET_ERRORS = {
  DATA_UNKNOWN: {
    ...UNKNOWN,
    meaning: 'There is no such version of a data set, or it belongs to another tenant.',
    fix: '`skein data ls` lists them; `skein data add NAME FILE` adds one.',
  },
  DATA_CHANGED: {
    ...UNMET,
    meaning: 'A file of a version that is read where it lies has changed, or is gone.',
    fix: 'Put the old file back, or add the new one as a version: `skein data add NAME FILE --in-place`.',
  },
} as const satisfies Record<string, ErrorRow>;

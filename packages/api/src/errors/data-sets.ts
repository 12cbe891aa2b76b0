/** Errors of data sets. */
import { type ErrorRow, INVALID, UNKNOWN, UNMET } from './row.ts';

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
  CONTRACT_INVALID: {
    ...INVALID,
    meaning: 'A contract of a table is not YAML, or has a key or value that no rule takes.',
    fix: 'Mend the place that the message names; `skein data suggest FILE --out contract.yaml` writes a contract to start from.',
  },
} as const satisfies Record<string, ErrorRow>;

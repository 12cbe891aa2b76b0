/** How to mend an error of the judge. */
import type { ErrorCode } from '@skein/api';

/** Fixes that differ from the table, which describes a node. */
export const FIXES: Readonly<Partial<Record<ErrorCode, string>>> = {
  USAGE: '`skein-judge --help` shows the usage.',
  KEY_MISSING: 'Send `Authorization: Bearer KEY`; `skein-judge users add NAME` makes one.',
  KEY_INVALID: 'Ask for a new key; `skein-judge users key NAME` makes one.',
  SCOPE_MISSING:
    'Sign in with a key of the author or of an admin; `skein-judge users add NAME --admin` makes one.',
  KEY_UNKNOWN: '`skein-judge users ls` lists the keys.',
  RATE_LIMITED: 'Wait for Retry-After.',
  ROUTE_UNKNOWN: '/openapi.json lists every path.',
  METHOD_NOT_ALLOWED: 'Use a method that the header Allow names.',
  REQUEST_INVALID: 'Correct the field that the message names; /openapi.json lists every field.',
  PORT_IN_USE: 'Choose another with --port; 0 takes any free one.',
  DATA_FOLDER_LOCKED: 'Stop the judge that runs on it, or choose another folder with --data.',
  BODY_TOO_LARGE: 'Send less; `GET /api/v1/judge` returns the limit.',
};

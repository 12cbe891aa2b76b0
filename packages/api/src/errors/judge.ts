/** Errors of the judge. */
import { CONFLICT, EXISTS, GRPC, UNAVAILABLE, UNFIT, UNKNOWN, type ErrorRow } from './row.ts';

export const JUDGE_ERRORS = {
  PROBLEM_INVALID: {
    http: 422,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning: 'A problem package breaks its format.',
    fix: 'Correct the file and the field that the message names; docs/guide/judge.md describes the format.',
  },
  PROBLEM_UNSUPPORTED: {
    http: 422,
    grpc: GRPC.UNIMPLEMENTED,
    kind: 'user',
    meaning: 'A problem package uses a part of the format that the judge does not run.',
    fix: 'Replace the part that the message names; docs/guide/judge.md lists what is supported.',
  },
  PROBLEM_LIMITS: {
    ...UNFIT,
    meaning: 'A problem asks for limits that this machine cannot enforce.',
    fix: 'Lower the limit that the message names, or judge on a machine and with a sandbox that enforce it.',
  },
  SUBMISSION_INVALID: {
    http: 422,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning:
      'A submission is empty, too large, badly named, or in a language that the problem does not accept.',
    fix: 'Correct the part that the message names and submit again.',
  },
  LANGUAGE_UNAVAILABLE: {
    ...UNFIT,
    meaning: 'The toolchain of the language is not installed in the sandbox.',
    fix: 'Install the Debian package that the message names in the sandbox’s image, or submit in another language.',
  },
  PROBLEM_UNKNOWN: {
    ...UNKNOWN,
    meaning: 'The judge has no problem of this name, or the problem is not visible yet.',
    fix: '`GET /api/v1/problems` lists the problems.',
  },
  PROBLEM_NOT_READY: {
    ...UNAVAILABLE,
    meaning: 'The time limit of a problem is still being measured from its example submissions.',
    fix: 'Submit again after Retry-After.',
    retryMs: 5000,
  },
  SUBMISSION_UNKNOWN: {
    ...UNKNOWN,
    meaning: 'There is no submission with this number.',
    fix: '`GET /api/v1/submissions` lists your own.',
  },
  SUBMISSION_UNFINISHED: {
    ...CONFLICT,
    meaning: 'The submission is being judged, so it cannot be judged again yet.',
    fix: 'Wait for its verdict.',
  },
  USER_UNKNOWN: {
    ...UNKNOWN,
    meaning: 'The judge has no user of this name.',
    fix: '`skein-judge users ls` lists them.',
  },
  USER_EXISTS: {
    ...EXISTS,
    meaning: 'The judge has a user of this name already.',
    fix: 'Choose another name, or make another key: `skein-judge users key NAME`.',
  },
  JUDGE_SANDBOX: {
    http: 503,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'No sandbox that may run untrusted programs is available, so nothing is judged.',
    fix: 'Install bubblewrap (`sudo npm run provision`) or start Docker; the message names what each driver lacks.',
  },
} as const satisfies Record<string, ErrorRow>;

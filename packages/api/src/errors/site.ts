/** Errors of a site of a federation. */
import { CONFLICT, GRPC, INVALID, UNMET, type ErrorRow } from './row.ts';

export const SITE_ERRORS = {
  SITE_DATA_UNFIT: {
    ...INVALID,
    meaning: 'The rows of a site do not fit the plan of the federation.',
    fix: 'Correct what the message names; rows are counted from 0, without the header. A table is CSV in UTF-8, with a header, commas and decimal points, JSON Lines or Parquet; arrays are .npz, .npy or a folder of images. `skein join` without --data shows the columns of the plan, their ranges and categories.',
  },
  SITE_TERMS_REFUSED: {
    ...UNMET,
    meaning: 'The plan of a federation does not meet the terms that the site demands.',
    fix: 'Ask the operator of the federation for a plan with these terms, or demand less with --max-epsilon, --min-sites and --max-rounds; --plain-updates allows a coordinator that sees the update of this site.',
  },
  PRIVACY_LIMIT_REACHED: {
    ...UNMET,
    meaning:
      'A federation would reveal more of the rows of a site, together with its other federations, than the limit of its account allows.',
    fix: 'Read `skein privacy account`. Then close an abandoned federation with `skein privacy close`, ask for a plan that spends less, or raise the limit with `skein privacy limit`.',
  },
  PRIVACY_ACCOUNT_OTHER: {
    ...CONFLICT,
    meaning:
      'The rows of a site, or its part in a federation, are counted in another privacy account.',
    fix: 'Join with the --account that the message names: rows that are in two accounts would be counted in neither.',
  },
  PRIVACY_ACCOUNT_CLOSED: {
    ...CONFLICT,
    meaning: 'A federation asks a site for an update whose owner has closed its part in it.',
    fix: 'Join again with `skein join --accept` to take part, which asks the account for what the plan may spend.',
  },
  HELPER_RUNNING: {
    http: 409,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'Another process is this helper: two would answer more often than the budget allows.',
    fix: 'Stop that process, or give this helper a folder and keys of its own with --folder.',
  },
  HELPER_NOT_NAMED: {
    ...UNMET,
    meaning: 'The plan of a federation does not name this helper with its two keys.',
    fix: 'Give the operator of the federation what `skein helper key` prints, for a new plan; run the helper on the data folder that has these keys.',
  },
  SITE_PLAN_CHANGED: {
    ...CONFLICT,
    meaning:
      'The coordinator showed a plan other than the one that this site has read, or has accepted for the run.',
    fix: 'Do not join; ask the operator of the federation why the plan of a running federation changed.',
  },
  SITE_PAGES_DIFFER: {
    ...CONFLICT,
    meaning:
      'Pages of two versions would use the memory of one site: an older one is open in another tab, or this one is the older.',
    fix: 'Close every other tab of this page, reload it, and open the invitation again.',
  },
} as const satisfies Record<string, ErrorRow>;

/** Refusals of secure aggregation: each is one condition under which a site, a helper or the server stops. */
import { CONFLICT, EXISTS, type ErrorRow, FORBIDDEN, INVALID, UNAVAILABLE } from './row.ts';

export const SECURE_AGGREGATION_ERRORS = {
  AGGREGATION_INVALID: {
    ...INVALID,
    meaning: 'The terms of a secure sum or its input are not valid, or a message cannot be read.',
    fix: 'Correct what the message names: number of sites, bits, length, or the bytes of a message.',
  },
  AGGREGATION_CONTEXT_OTHER: {
    ...CONFLICT,
    meaning: 'A message belongs to another run, round, plan, roster or protocol version.',
    fix: 'Compare the plan digest and the roster with the coordinator’s; update both sides to one version.',
  },
  AGGREGATION_ROSTER_FORGED: {
    ...FORBIDDEN,
    meaning:
      'The keys of a round are not signed by the agreed sites: one is unknown, repeated, forged or changed.',
    fix: 'Do not retry. The coordinator or the network changed the keys of the named site; ask its operator.',
  },
  AGGREGATION_SIGNATURE_INVALID: {
    ...FORBIDDEN,
    meaning: 'The signature of a message was not made by the participant that it names.',
    fix: 'Check that the participant uses the identity with which it was invited.',
  },
  AGGREGATION_TOO_FEW: {
    ...CONFLICT,
    meaning:
      'Fewer participants than the threshold of the round remain, so the round reveals nothing.',
    fix: 'Wait for more sites and start the round again. The threshold cannot be lowered within a run.',
  },
  AGGREGATION_SURVIVORS_SPLIT: {
    ...FORBIDDEN,
    meaning: 'The coordinator sent sites different lists of survivors, or an impossible list.',
    fix: 'Do not retry. A coordinator that does this tries to learn a single update; ask its operator.',
  },
  AGGREGATION_BOTH_SECRETS: {
    ...FORBIDDEN,
    meaning: 'The coordinator asked for both secrets of one site, which would reveal its update.',
    fix: 'Do not retry. A coordinator that does this tries to learn a single update; ask its operator.',
  },
  AGGREGATION_PHASE_ANSWERED: {
    ...CONFLICT,
    meaning: 'This round and phase is answered already, or not due yet.',
    fix: 'Send the stored answer again, or start a new round; each phase is answered once.',
  },
  AGGREGATION_ANSWERED_TWICE: {
    ...EXISTS,
    meaning: 'A participant sent a second, different message in one phase of a round.',
    fix: 'Send the first one again, byte for byte; check that one identity is not used by two processes.',
  },
  AGGREGATION_SHARE_BAD: {
    ...CONFLICT,
    meaning:
      'A share of a secret does not match its commitment, or a secret that was rebuilt from shares is not the advertised one.',
    fix: 'Exclude the site that the message names, and start the round again.',
  },
  AGGREGATION_CHUNK_INVALID: {
    ...INVALID,
    meaning: 'A chunk of an update does not have the digest that its sender signed.',
    fix: 'Send the chunk again.',
  },
  AGGREGATION_SUM_GARBLED: {
    ...CONFLICT,
    meaning:
      'An unmasked sum holds numbers that no sum of updates can have: a helper summed other masks, or a site masked numbers out of range.',
    fix: 'The sum is discarded, and the round is tried again. If it happens again, compare the sites and helpers of the aborted rounds in the ledger.',
  },
  AGGREGATION_COHORT_CHANGED: {
    ...FORBIDDEN,
    meaning:
      'A round without differential privacy was tried again with other sites: the difference of the two sums could be the update of one site.',
    fix: 'Use differential privacy, or allow it in the plan: "repeatWithOthers": true in aggregation.',
  },
  AGGREGATION_HELPER_LOST: {
    ...UNAVAILABLE,
    meaning:
      'A helper of the committee did not answer, so the sum of this round cannot be unmasked.',
    fix: 'Start the round again when all helpers can be reached.',
    retryMs: 5000,
  },
} as const satisfies Record<string, ErrorRow>;

/** Errors of a federation: its plan, identities, messages, rounds and ledger. */
import {
  CONFLICT,
  EXISTS,
  FORBIDDEN,
  INVALID,
  NOT_NOW,
  UNAUTHENTICATED,
  UNAVAILABLE,
  UNFIT,
  UNKNOWN,
  type ErrorRow,
} from './row.ts';

export const FEDERATION_ERRORS = {
  FEDERATION_UNKNOWN: {
    ...UNKNOWN,
    meaning: 'The coordinator has no federation of this id.',
    fix: 'As the operator, list the federations with `skein federate status`. As a site, check the address of the invitation, and ask the operator whether the federation was removed.',
  },
  FEDERATION_ENDED: {
    ...CONFLICT,
    meaning: 'The federation has finished, failed or was stopped, so it can no longer change.',
    fix: 'Start a new federation; the ledger and the model of this one can still be read.',
  },
  FEDERATION_BUSY: {
    ...UNAVAILABLE,
    meaning: 'Too many sites are joining at once, or all places of the plan are taken.',
    fix: 'Join again after Retry-After. Where all places are taken, the site joins when the operator revokes one that has left.',
    retryMs: 5000,
  },
  FEDERATION_MOVED: {
    ...NOT_NOW,
    meaning: 'The federation was changed meanwhile, by another coordinator or an operator.',
    fix: 'Read its status and decide anew.',
    retryMs: 1000,
  },
  FEDERATION_PROTOCOL: {
    ...INVALID,
    meaning: 'A message of a federation has another version, or does not belong to the protocol.',
    fix: 'Run the same version of Skein at the site and at the coordinator; docs/reference/federation-protocol.md describes the messages.',
  },
  STATISTICS_MISSING: {
    ...CONFLICT,
    meaning:
      'The federation has no counts: it trains a model, or the sum of its counts is not complete.',
    fix: 'Wait until `skein federate status` shows `finished`. Where it failed, start it anew with more `attempts` in the plan.',
  },
  PLAN_INVALID: {
    ...INVALID,
    meaning: 'The plan of a federation is incomplete or contradicts itself.',
    fix: 'Correct the field that the message names.',
  },
  PLAN_CHANGED: {
    ...CONFLICT,
    meaning: 'A site and the coordinator do not have the same plan or the same model.',
    fix: 'Read the plan of the coordinator, and accept it anew if its terms are right.',
  },
  IDENTITY_UNKNOWN: {
    ...UNAUTHENTICATED,
    meaning: 'The key of the site is not enrolled in this federation.',
    fix: 'Ask the coordinator for an invitation, and join with it once.',
  },
  IDENTITY_UNPROVEN: {
    ...UNAUTHENTICATED,
    meaning: 'A signature does not belong to the key that is named, or to this connection.',
    fix: 'Join with the private key that was enrolled; if it may have been stolen, have it revoked.',
  },
  IDENTITY_REVOKED: {
    ...FORBIDDEN,
    meaning: 'The key of the site was revoked.',
    fix: 'Ask the coordinator for a new invitation, and join with another --folder or browser profile, which makes a new key.',
  },
  IDENTITY_ELSEWHERE: {
    ...CONFLICT,
    meaning:
      'The same key has joined the federation over another connection, which is served in place of this one.',
    fix: 'Run one process or page with the key of a site. If there is no second one of yours, the key may be stolen: ask the operator to revoke the site, and join with a new invitation and another --folder.',
  },
  INVITATION_INVALID: {
    ...FORBIDDEN,
    meaning: 'The invitation is unknown, expired, or was used by another key.',
    fix: 'Copy the whole link. Join from the data folder or browser that opened it first, which holds the key; else ask the operator of the federation or node for a new invitation.',
  },
  ANSWER_INVALID: {
    ...INVALID,
    meaning:
      'A site sent an answer that does not fit the plan: its length, its numbers or its digest.',
    fix: 'Correct the part that the message names; the round continues without this answer.',
  },
  ANSWER_CONFLICT: {
    ...EXISTS,
    meaning: 'A site sent a second, different answer to the same phase of a round.',
    fix: 'Send the stored answer again; if there is no second copy of the site, its key may be stolen: have it revoked.',
  },
  PHASE_CLOSED: {
    ...NOT_NOW,
    meaning:
      'An answer came for a phase that is not the present one, or from a site outside its roster.',
    fix: 'Wait for the next task.',
    retryMs: 1000,
  },
  SITES_MISSING: {
    ...UNAVAILABLE,
    meaning: 'Fewer sites than the threshold finished a phase, so the round was aborted.',
    fix: 'Nothing: the round is tried again when enough sites are connected.',
    retryMs: 5000,
  },
  PRIVACY_BUDGET_SPENT: {
    ...CONFLICT,
    meaning: 'A further round would spend more than the privacy budget of the plan.',
    fix: 'Use the model as it is, or agree with all sites on a new plan and budget.',
  },
  AUDIT_UNFIT: {
    ...UNFIT,
    meaning: 'An audit by canaries of one site cannot measure this federation.',
    fix: 'Audit a federation with privacy patient, strategy fedsgd or fedavg, all numbers of the model in each round, and two rounds or more.',
  },
  LEDGER_INVALID: {
    ...UNFIT,
    meaning: 'A ledger was edited, cut, set back or signed by another key.',
    fix: 'Compare the entry that the message names with the copy of another participant. Restore the newest copy of the folder of the coordinator, or start a new federation.',
  },
} as const satisfies Record<string, ErrorRow>;

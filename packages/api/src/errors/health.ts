/** Errors of the clinical decision support. */
import { GRPC, UNAUTHENTICATED, UNAVAILABLE, UNFIT, UNMET, type ErrorRow } from './row.ts';

export const HEALTH_ERRORS = {
  HEALTH_TOKEN: {
    ...UNAUTHENTICATED,
    meaning:
      'The token of a CDS Hooks call is missing, forged, expired, used before, or of an issuer that is not allowed. The audit log has the reason; the answer does not.',
    fix: 'Sign a new token for this exact address with a key of an issuer in the service’s clients file.',
  },
  HEALTH_RESOURCE: {
    http: 422,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning: 'A FHIR resource breaks its format, or the record is about several patients.',
    fix: 'Correct the member that the message names; docs/guide/health.md lists what is read.',
  },
  HEALTH_DATA_MISSING: {
    ...UNMET,
    meaning:
      'Data of the patient were neither prefetched nor could they be read from the FHIR server.',
    fix: 'Prefetch what the discovery document names, or send fhirServer with fhirAuthorization.',
  },
  HEALTH_AUDIT: {
    ...UNAVAILABLE,
    meaning:
      'The audit log cannot be written, such as on a full disk. Without its entry no answer is given.',
    fix: 'Free the disk of the audit folder; the service answers again without a restart, after Retry-After.',
    retryMs: 5000,
  },
  HEALTH_VERSION: {
    ...UNFIT,
    meaning: 'A model version is missing, was changed, or was written by another release.',
    fix: 'Train one with `skein-health train`, or restore the folder from a copy.',
  },
  HEALTH_ROWS: {
    ...UNFIT,
    meaning: 'A file of heart disease rows breaks its format.',
    fix: 'Use the processed files of the UCI heart disease data; docs/guide/health.md describes them.',
  },
  HEALTH_CARD: {
    ...UNFIT,
    meaning: 'A card cannot be derived again: a number, its version or its audit entry differs.',
    fix: 'Keep the card and the folder as they are, and report the difference that the message names.',
  },
  HEALTH_CLIENTS: {
    ...UNFIT,
    meaning: 'The file of the allowed issuers breaks its format.',
    fix: 'Correct the member that the message names; docs/guide/health.md shows the file.',
  },
} as const satisfies Record<string, ErrorRow>;

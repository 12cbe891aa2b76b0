/**
 * One patient's resources out of a Bundle: exactly one Patient, and Observations about that patient only. An
 * Observation about another patient is refused, not skipped: records that are mixed up must be seen.
 */
import {
  invalid,
  Observation,
  Patient,
  readBundle,
  readResource,
  type Bundle,
  type BundleEntry,
} from './resources.ts';
import type { Sourced } from './read-inputs.ts';

export interface PatientRecord {
  readonly patient: Patient;
  readonly reference: string;
  readonly observations: readonly Sourced[];
}

/** @throws SkeinError HEALTH_RESOURCE. */
export function recordOf(given: unknown): PatientRecord {
  const bundle = readBundle(given, 'Bundle');
  const entries = (bundle.entry ?? []).map((entry, i) => ({
    entry,
    at: `Bundle.entry.${i}.resource`,
  }));
  const patients = entries.filter(({ entry }) => entry.resource?.resourceType === 'Patient');
  const [only] = patients;
  if (only === undefined || patients.length > 1) {
    throw invalid('Bundle', `holds ${patients.length} Patients, and must hold one`);
  }
  const patient = readResource(Patient, only.entry.resource, only.at);
  const { fullUrl } = only.entry;
  if (patient.id === undefined && fullUrl === undefined) {
    throw invalid(only.at, 'has neither an id nor a fullUrl');
  }
  const reference = patient.id === undefined ? fullUrl! : `Patient/${patient.id}`;
  return {
    patient,
    reference,
    observations: observationsIn(bundle, reference, fullUrl),
  };
}

/**
 * The Observations of a Bundle.
 * @param reference of the patient, `Patient/ID` or a fullUrl.
 * @param fullUrl of the patient in this Bundle.
 * @throws SkeinError HEALTH_RESOURCE, also for one about another patient.
 */
export function observationsIn(
  { entry }: Bundle,
  reference: string,
  fullUrl?: string,
): readonly Sourced[] {
  return (entry ?? []).flatMap((each, i) => {
    if (each.resource?.resourceType !== 'Observation' || each.search?.mode === 'outcome') return [];
    const at = `Bundle.entry.${i}.resource`;
    const observation = readResource(Observation, each.resource, at);
    const subject = observation.subject?.reference;
    if (subject === undefined || !refersTo(subject, each, reference, fullUrl)) {
      throw invalid(`${at}.subject`, `does not refer to the patient of the record`);
    }
    const own = observation.id === undefined ? each.fullUrl : `Observation/${observation.id}`;
    if (own === undefined) throw invalid(at, 'has neither an id nor a fullUrl');
    return [{ observation, reference: own }];
  });
}

/**
 * A reference is resolved as FHIR asks: a fullUrl of the Bundle, a relative reference against the base of the
 * entry's own fullUrl, or an absolute URL of a server that ends in `Patient/ID`.
 */
function refersTo(
  subject: string,
  { fullUrl: own }: BundleEntry,
  reference: string,
  patientUrl: string | undefined,
): boolean {
  const target = subject.replace(/\/_history\/[^/]+$/, '');
  if (target === reference || target === patientUrl) return true;
  const base = /^(https?:\/\/.*\/)[A-Za-z]+\/[A-Za-z0-9\-.]+$/.exec(own ?? '')?.[1];
  if (base === undefined) return false;
  return target === `${base}${reference}` || `${base}${target}` === patientUrl;
}

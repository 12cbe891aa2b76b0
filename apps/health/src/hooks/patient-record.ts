/**
 * The record of one patient for one call: what the client has prefetched, and for the rest the answers of its
 * FHIR server. A key that is absent was not run or has failed; null was looked up and is empty. An OperationOutcome,
 * an error page or the first of several pages may stand in a key: none of these is the data, so it is read.
 */
import { SkeinError } from '@skein/api';
import { observationsIn, type PatientRecord } from '../fhir/bundle.ts';
import type { Sourced } from '../fhir/read-inputs.ts';
import { Patient, readBundle, readResource, type Bundle } from '../fhir/resources.ts';
import { fetchJson } from './fetch-json.ts';
import type { Issuer } from './issuers.ts';
import { type HookRequest, PREFETCH } from './messages.ts';

/** For one read of a FHIR server, in milliseconds. A clinician waits for the chart. */
const READ_MS = 3000;
/** Pages of one search, newest first. */
const MOST_PAGES = 5;

/** @throws SkeinError HEALTH_DATA_MISSING, HEALTH_RESOURCE. */
export async function loadRecord(request: HookRequest, issuer: Issuer): Promise<PatientRecord> {
  const { patientId } = request.context;
  const read = readerOf(request, issuer);
  const reference = `Patient/${patientId}`;
  const base = request.fhirServer?.replace(/\/$/, '');
  const fullUrl = base === undefined ? undefined : `${base}/${reference}`;
  const searches = Object.keys(PREFETCH).filter((key) => key !== 'patient');
  const [patient, ...found] = await Promise.all([
    patientOf(request, read),
    ...searches.map((key) => searchOf(key, request, read)),
  ]);
  if (patient.id !== patientId) {
    throw new SkeinError(
      'HEALTH_RESOURCE',
      'prefetch.patient: is another patient than the context names.',
    );
  }
  const bundles: readonly Bundle[] = found.flat();
  const observations = bundles.flatMap((bundle) => observationsIn(bundle, reference, fullUrl));
  return { patient, reference, observations: distinct(observations) };
}

/** Reads `Type/ID`, a search, or a further page of one. Rejects where that cannot be done. */
type Read = (what: string, address: string) => Promise<unknown>;

function readerOf({ fhirServer, fhirAuthorization, context }: HookRequest, issuer: Issuer): Read {
  return async (key, address) => {
    if (fhirServer === undefined)
      throw missing(key, 'it is not prefetched, and no fhirServer is named');
    const base = fhirServer.replace(/\/$/, '');
    if (!issuer.fhirServers.some((allowed) => allowed.replace(/\/$/, '') === base)) {
      throw missing(key, 'it is not prefetched, and the fhirServer is not an allowed one');
    }
    const path = address.replaceAll('{{context.patientId}}', context.patientId);
    const given = path.startsWith('http') ? path : `${base}/${encodeSearch(path)}`;
    // Without `..`, which would leave the base.
    const url = URL.canParse(given) ? new URL(given).href : '';
    if (!url.startsWith(`${base}/`) && !url.startsWith(`${base}?`)) {
      throw missing(key, 'its next page is on another server');
    }
    const headers = {
      Accept: 'application/fhir+json',
      ...(fhirAuthorization === undefined
        ? {}
        : { Authorization: `Bearer ${fhirAuthorization.access_token}` }),
    };
    try {
      return await fetchJson(url, headers, READ_MS);
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'unknown';
      throw missing(key, `the FHIR server does not give it (${reason.slice(0, 100)})`);
    }
  };
}

/** Codes hold `|`, which servers differ about. */
function encodeSearch(path: string): string {
  const [resource, query] = path.split('?', 2);
  if (query === undefined) return path;
  const pairs = query.split('&').map((pair) => {
    const at = pair.indexOf('=');
    return `${pair.slice(0, at)}=${encodeURIComponent(pair.slice(at + 1))}`;
  });
  return `${resource}?${pairs.join('&')}`;
}

async function patientOf({ prefetch }: HookRequest, read: Read): Promise<Patient> {
  const given = prefetch?.['patient'];
  const at = 'prefetch.patient';
  if (typeOf(given) === 'Patient') return readResource(Patient, given, at);
  const found = await read('patient', PREFETCH['patient']!);
  return readResource(Patient, found, 'Patient');
}

/** The pages of a search; none where it was run and found nothing. */
async function searchOf(
  key: string,
  { prefetch }: HookRequest,
  read: Read,
): Promise<readonly Bundle[]> {
  const given = prefetch?.[key];
  if (given === null) return [];
  if (typeOf(given) === 'Bundle') {
    const bundle = readBundle(given, `prefetch.${key}`);
    // Not all of it: a client that ignores _sort may hold the newest result back.
    if (nextOf(bundle) === undefined) return [bundle];
  }
  const pages: Bundle[] = [];
  for (let address: string | undefined = PREFETCH[key]; address !== undefined;) {
    const page = readBundle(await read(key, address), key);
    pages.push(page);
    address = pages.length < MOST_PAGES ? nextOf(page) : undefined;
  }
  return pages;
}

const nextOf = ({ link }: Bundle): string | undefined =>
  link?.find(({ relation }) => relation === 'next')?.url;

function typeOf(given: unknown): unknown {
  return typeof given === 'object' && given !== null && 'resourceType' in given
    ? given.resourceType
    : undefined;
}

/** A panel may be found by two searches. */
function distinct(observations: readonly Sourced[]): readonly Sourced[] {
  return [...new Map(observations.map((each) => [each.reference, each])).values()];
}

const missing = (key: string, why: string): SkeinError =>
  new SkeinError('HEALTH_DATA_MISSING', `The data "${key}" are missing: ${why}.`);

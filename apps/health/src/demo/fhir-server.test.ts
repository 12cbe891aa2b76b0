/** The service against a FHIR server that is not ours, and its resources against that server's own validation. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { entryOf, FIRST } from '../audit/audit-entry.ts';
import { auditEventOf } from '../audit/audit-event.ts';
import { PUBLISHED } from '../fhir/codes.ts';
import { bundleOf, chartOf, NOW } from '../testing/chart.ts';
import { cardsInvariants } from '../testing/invariants.ts';
import { serving, type Serving } from '../testing/serving.ts';
import { type FhirServer, openFhirServer } from './fhir-server.ts';
import { INVENTED_IDS, inventedCharts } from './patients.ts';

let fhir: FhirServer;
let given: Serving;
beforeAll(async () => {
  fhir = await openFhirServer();
  for (const resource of inventedCharts(NOW)) await fhir.create(resource);
  given = await serving(testFolder(), { issuer: { fhirServers: [fhir.url] } });
});
afterAll(async () => {
  await given[Symbol.asyncDispose]();
  await fhir.close();
});

const view = (patientId: string) =>
  given.view({
    prefetch: undefined,
    fhirServer: fhir.url,
    context: { userId: 'Practitioner/7', patientId },
  });

it('reads charts that nothing was prefetched of', async () => {
  const outcomes = [];
  for (const patientId of INVENTED_IDS) {
    const { status, body } = await view(patientId);
    expect([status, cardsInvariants(body)]).toEqual([200, []]);
    outcomes.push(/likely|unlikely/.exec(JSON.stringify(body))?.[0]);
  }
  expect(outcomes).toEqual(['likely', 'unlikely']);
  expect(await view('unknown')).toMatchObject({
    status: 412,
    body: { code: 'HEALTH_DATA_MISSING' },
  });
});

it('writes valid FHIR R4', async () => {
  const { body } = await given.call('POST', '/fhir/$assess-heart', chartOf());
  expect(body['prediction']).toHaveLength(1);
  const { body: without } = await given.call(
    'POST',
    '/fhir/$assess-heart',
    bundleOf([{ resourceType: 'Patient', id: 'p1', gender: 'other' }]),
  );
  const event = auditEventOf(
    entryOf(1, '2026-01-15T10:00:00.000Z', { kind: 'refusal', why: 'token', uncounted: 0 }, FIRST),
    'Skein heart',
  );
  for (const resource of [body, without, event, ...Object.values(PUBLISHED)]) {
    expect(() => fhir.validate(resource)).not.toThrow();
  }
  const { subject: _subject, ...broken } = body;
  expect(() => fhir.validate(broken)).toThrow(/subject/);
});

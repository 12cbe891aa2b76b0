import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  fillDisk,
  mountTinyDisk,
  tinyDisk,
} from '../../../../packages/state/src/testing/tiny-disk.ts';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
import { readAuditLog, verifyChain } from '../audit/audit-log.ts';
import { DERIVATION_EXTENSION, SET_EXTENSION } from '../fhir/codes.ts';
import { PREFETCH } from '../hooks/messages.ts';
import { bundleOf, chartOf, PATIENT, prefetchOf, RESULTS } from '../testing/chart.ts';
import { keepingLogger } from '../testing/silent-logger.ts';
import { cardsInvariants } from '../testing/invariants.ts';
import { serving, tokenOf, viewOf, type Serving } from '../testing/serving.ts';
import { auditFolder, serveHealth } from './serve.ts';
import { verifyCard } from './verify-card.ts';

const HOOK = '/cds-services/skein-heart';
const logged: string[] = [];
let given: Serving;
/** A FHIR server whose answers a test sets, by the resource that is asked for. */
let answers: Readonly<Record<string, (url: URL) => unknown>> = {};
const asked: string[] = [];
const fhir = createServer((request, response) => {
  const url = new URL(request.url!, 'http://fhir');
  asked.push(`${request.headers.authorization} ${decodeURIComponent(request.url!)}`);
  const key = url.pathname.startsWith('/fhir/Patient') ? 'patient' : 'search';
  const body = answers[key]?.(url);
  response.statusCode = body === undefined ? 404 : 200;
  response.end(typeof body === 'string' ? body : JSON.stringify(body ?? {}));
});
let fhirServer: string;

beforeAll(async () => {
  fhir.listen(0, '127.0.0.1');
  await once(fhir, 'listening');
  fhirServer = `http://127.0.0.1:${(fhir.address() as AddressInfo).port}/fhir`;
  given = await serving(testFolder(), {
    logger: keepingLogger(logged),
    issuer: { fhirServers: [fhirServer] },
  });
});
afterAll(async () => {
  await given[Symbol.asyncDispose]();
  fhir.close();
});

interface Derived {
  readonly cards: { extension: { [DERIVATION_EXTENSION]: { answer: unknown } } }[];
}

const lastEntry = async () => {
  let last: AuditEntry | undefined;
  for await (const entry of readAuditLog(auditFolder(given.dataFolder))) last = entry;
  if (last === undefined) throw new Error('The audit log is empty.');
  return last;
};

describe('patient-view', () => {
  it('is discovered', async () => {
    const { status, body } = await given.call('GET', '/cds-services');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      services: [{ hook: 'patient-view', id: 'skein-heart', prefetch: PREFETCH }],
    });
  });

  it('answers a prefetched chart with a card', async () => {
    const request = viewOf();
    const { status, body } = await given.call('POST', HOOK, request);
    expect([status, cardsInvariants(body)]).toEqual([200, []]);
    const [card] = body['cards'] as Record<string, string>[];
    expect(card).toMatchObject({
      indicator: 'warning',
      summary: expect.stringMatching(/^Coronary heart disease likely: (?:over )?\d\d %/),
    });
    expect(card!['detail']).toContain('| ST depression | 2.6 mm | 0 mm | +');
    expect(card!['detail']).toContain('Not a medical device');
    const { facts } = await lastEntry();
    expect(facts).toMatchObject({
      kind: 'inference',
      card: card!['uuid'],
      user: 'Practitioner/7',
      request: request.hookInstance,
      set: ['ill'],
    });
  });

  it('has no card where the record lacks an input, and records the reason', async () => {
    const { peakRate: _peak, ...results } = RESULTS;
    const { status, body } = await given.view({ prefetch: prefetchOf(results) });
    expect([status, body]).toEqual([200, { cards: [] }]);
    expect((await lastEntry()).facts).toMatchObject({ abstained: 'missing: peakRate absent' });
  });

  it('takes null as looked up and empty', async () => {
    const { body } = await given.view({ prefetch: { ...prefetchOf(), heart: null } });
    expect(body).toEqual({ cards: [] });
    expect((await lastEntry()).facts).toMatchObject({
      abstained: expect.stringContaining('chestPain absent'),
    });
  });

  const everything = {
    patient: () => PATIENT,
    search: () => bundleOf(Object.values(RESULTS), 'searchset'),
  };
  const authorised = {
    fhirAuthorization: {
      access_token: 'opaque-access',
      token_type: 'Bearer',
      expires_in: 300,
      scope: 'patient/*.read',
      subject: 'cds',
    },
  };

  it.each([
    ['nothing', undefined],
    [
      'an OperationOutcome',
      { ...prefetchOf(), heart: { resourceType: 'OperationOutcome', issue: [] } },
    ],
    ['an error page', { ...prefetchOf(), heart: '<html>502</html>' }],
    [
      'a first page',
      {
        ...prefetchOf(),
        heart: { ...bundleOf([], 'searchset'), link: [{ relation: 'next', url: 'x' }] },
      },
    ],
    ['no Patient', { ...prefetchOf(), patient: undefined }],
    ['a null Patient', { ...prefetchOf(), patient: null }],
  ])('reads from the FHIR server where %s was prefetched', async (_name, prefetch) => {
    answers = everything;
    asked.length = 0;
    const { status, body } = await given.view({ prefetch, fhirServer, ...authorised });
    expect([status, (body['cards'] as unknown[]).length]).toEqual([200, 1]);
    expect(asked.length).toBe(prefetch === undefined ? 4 : 1);
    expect(asked.every((each) => each.startsWith('Bearer opaque-access /fhir/'))).toBe(true);
  });

  it('follows the pages of a search, on its server alone', async () => {
    answers = {
      patient: () => PATIENT,
      search: (url) =>
        url.searchParams.has('page')
          ? bundleOf(Object.values(RESULTS), 'searchset')
          : {
              ...bundleOf([], 'searchset'),
              link: [{ relation: 'next', url: `${fhirServer}/Observation?page=2` }],
            },
    };
    expect((await given.view({ prefetch: undefined, fhirServer })).body['cards']).toHaveLength(1);
    answers = {
      ...answers,
      search: () => ({
        ...bundleOf([], 'searchset'),
        link: [{ relation: 'next', url: 'http://127.0.0.1:1/fhir/Observation' }],
      }),
    };
    expect(await given.view({ prefetch: undefined, fhirServer })).toMatchObject({
      status: 412,
      body: { code: 'HEALTH_DATA_MISSING' },
    });
  });

  it.each([
    ['no FHIR server', {}],
    ['a server that is not allowed', { fhirServer: 'http://127.0.0.1:9/fhir' }],
    ['a server whose name begins like an allowed one', { fhirServer: 'FHIR.evil.example' }],
    ['a server without the patient', { fhirServer: 'FHIR', empty: true }],
    ['a server that answers with a page of HTML', { fhirServer: 'FHIR', html: true }],
  ])(
    'answers 412 with %s',
    async (
      _name,
      { fhirServer: server, ...how }: { fhirServer?: string; empty?: boolean; html?: boolean },
    ) => {
      answers = how.html ? { patient: () => '<html>', search: () => '<html>' } : {};
      const { status, body } = await given.view({
        prefetch: undefined,
        ...(server === undefined
          ? {}
          : {
              fhirServer: server.startsWith('FHIR') ? server.replace('FHIR', fhirServer) : server,
            }),
      });
      expect([status, body['code']]).toEqual([412, 'HEALTH_DATA_MISSING']);
      expect((await lastEntry()).facts).toMatchObject({
        kind: 'refusal',
        why: 'HEALTH_DATA_MISSING',
      });
    },
  );

  it.each([
    ['another hook', { hook: 'order-sign' }, 'body.hook'],
    ['an instance that is no UUID', { hookInstance: '7' }, 'body.hookInstance'],
    ['no context', { context: undefined }, 'body.context'],
    ['a user that is none', { context: { userId: 'Device/1', patientId: 'p1' } }, 'userId'],
    [
      'a patient id with a path',
      { context: { userId: 'Patient/1', patientId: '../p1' } },
      'patientId',
    ],
    ['an authorization without its server', authorised, 'fhirServer'],
    [
      'an authorization for another patient',
      {
        fhirServer: 'http://127.0.0.1:1/fhir',
        fhirAuthorization: { ...authorised.fhirAuthorization, patient: 'p2' },
      },
      'another patient',
    ],
  ])('refuses %s', async (_name, more, message) => {
    const { status, body } = await given.view(more);
    expect([status, body['code'], body['error']]).toEqual([
      400,
      'REQUEST_INVALID',
      expect.stringContaining(message),
    ]);
  });

  it('refuses a Patient or results of another patient, and broken resources', async () => {
    const prefetch = prefetchOf();
    const other = { ...PATIENT, id: 'p2' };
    const foreign = bundleOf(
      [{ ...RESULTS.ecg, subject: { reference: 'Patient/p2' } }],
      'searchset',
    );
    for (const broken of [
      { ...prefetch, patient: other },
      { ...prefetch, heart: foreign },
      { ...prefetch, heart: bundleOf([{ resourceType: 'Observation' }], 'searchset') },
    ]) {
      expect(await given.view({ prefetch: broken })).toMatchObject({
        status: 422,
        body: { code: 'HEALTH_RESOURCE' },
      });
    }
    expect(await given.call('POST', HOOK, '{"hook":')).toMatchObject({
      status: 400,
      body: { code: 'BODY_NOT_JSON' },
    });
  });
});

describe('tokens', () => {
  it('are asked for on every call, and refused without a reason', async () => {
    for (const [method, path] of [
      ['GET', '/cds-services'],
      ['POST', HOOK],
      ['POST', `${HOOK}/feedback`],
      ['POST', '/fhir/$assess-heart'],
    ] as const) {
      const elsewhere = await tokenOf(given.signer, `${given.health.url}/elsewhere`);
      const { status, body } = await given.call(
        method,
        path,
        method === 'GET' ? undefined : viewOf(),
        elsewhere,
      );
      expect([status, body['code'], body['error']]).toEqual([
        401,
        'HEALTH_TOKEN',
        'The token is not accepted.',
      ]);
    }
    expect((await lastEntry()).facts).toMatchObject({
      kind: 'refusal',
      why: expect.stringContaining('"aud"'),
    });
  });

  it('are for one call each', async () => {
    const token = await tokenOf(given.signer, `${given.health.url}${HOOK}`);
    expect((await given.call('POST', HOOK, viewOf(), token)).status).toBe(200);
    expect((await given.call('POST', HOOK, viewOf(), token)).status).toBe(401);
  });
});

describe('feedback', () => {
  const reply = (more: object = {}) => ({
    card: randomUUID(),
    outcome: 'accepted',
    outcomeTimestamp: '2026-06-01T12:05:00Z',
    ...more,
  });

  it('is recorded by its reason, without the comment', async () => {
    const overridden = reply({
      outcome: 'overridden',
      overrideReason: {
        reason: { code: 'known', system: 'urn:skein:health:override-reasons' },
        userComment: 'Mrs Quillfeather has stents',
      },
    });
    const { status, body } = await given.call('POST', `${HOOK}/feedback`, {
      feedback: [reply(), overridden],
    });
    expect([status, body]).toEqual([200, {}]);
    expect((await lastEntry()).facts).toEqual({
      kind: 'feedback',
      caller: 'https://ehr.cleveland.example',
      card: overridden.card,
      outcome: 'overridden',
      reason: 'known',
      at: '2026-06-01T12:05:00Z',
    });
  });

  it.each([
    [{ feedback: [] }],
    [{ feedback: [reply({ outcome: 'ignored' })] }],
    [{ feedback: [reply({ overrideReason: {} })] }],
    [{ feedback: [reply({ outcomeTimestamp: 'now' })] }],
    [{}],
  ])('refuses %j', async (body) =>
    expect((await given.call('POST', `${HOOK}/feedback`, body)).status).toBe(400),
  );
});

describe('a Bundle', () => {
  it('is answered with a RiskAssessment', async () => {
    const { status, headers, body } = await given.call('POST', '/fhir/$assess-heart', chartOf());
    expect([status, headers.get('content-type')]).toEqual([200, 'application/fhir+json']);
    expect(body).toMatchObject({
      resourceType: 'RiskAssessment',
      status: 'final',
      subject: { reference: 'Patient/p1' },
    });
    expect(body['basis']).toHaveLength(Object.keys(RESULTS).length);
    const [prediction] = body['prediction'] as { probabilityDecimal: number; extension: unknown }[];
    expect(prediction!.probabilityDecimal).toBeGreaterThan(50);
    expect(prediction!.probabilityDecimal).toBeLessThanOrEqual(100);
    expect(prediction!.extension).toEqual([
      {
        url: SET_EXTENSION,
        extension: expect.arrayContaining([{ url: 'outcome', valueCode: 'ill' }]),
      },
    ]);
  });

  it('without an input has a note in place of a prediction', async () => {
    const { ecg: _ecg, ...results } = RESULTS;
    const { body } = await given.call('POST', '/fhir/$assess-heart', chartOf(results));
    expect([body['prediction'], body['note']]).toEqual([
      undefined,
      expect.arrayContaining([{ text: 'No answer: the record lacks resting ecg (absent).' }]),
    ]);
  });

  it('that is broken meets a coded error', async () => {
    expect(
      await given.call('POST', '/fhir/$assess-heart', bundleOf([PATIENT, PATIENT])),
    ).toMatchObject({ status: 422, body: { code: 'HEALTH_RESOURCE' } });
  });
});

it('publishes its codes and its extension without a token', async () => {
  for (const path of [
    'CodeSystem/inputs',
    'CodeSystem/override-reasons',
    'StructureDefinition/prediction-set',
  ]) {
    const response = await fetch(`${given.health.url}/fhir/${path}`);
    expect([path, response.status, ((await response.json()) as { id: string }).id]).toEqual([
      path,
      200,
      path.split('/')[1],
    ]);
  }
  for (const path of ['/', '/fhir/x', '/fhir/__proto__', '/constructor'])
    expect((await fetch(`${given.health.url}${path}`)).status).toBe(404);
});

it('verifies a card offline, and finds each change', async () => {
  await using own = await serving(testFolder());
  const { body } = await own.view();
  const older = { ...PATIENT, birthDate: '1950-03-07' };
  const { body: second } = await own.view({ prefetch: prefetchOf(RESULTS, older) });
  await own.health.close();
  expect(await verifyCard(body, own.dataFolder)).toMatchObject({
    chain: { entries: 2 },
    entry: { n: 1 },
  });
  const text = JSON.stringify(body);
  const change = async (from: RegExp | string, to: string): Promise<string> => {
    const changed = text.replace(from, to);
    expect(changed).not.toBe(text);
    return verifyCard(JSON.parse(changed), own.dataFolder).then(
      () => 'verified',
      ({ message }: Error) => message,
    );
  };
  expect(await change('"peakRate":98', '"peakRate":97')).toMatch(/by logit/);
  expect(await change(/"probability":0\.(\d)/, '"probability":0.0$1')).toMatch(/by probability/);
  expect(await change('"set":["ill"]', '"set":["well"]')).toMatch(/by set/);
  expect(await change(/"stDepression":(\d\.\d)\d/, '"stDepression":$1')).toMatch(
    /by (reasons|logit)/,
  );
  expect(await change(/"entry":1,/, '"entry":3,')).toMatch(/no entry 3/);
  expect(await change(/"uuid":"\w{8}/, '"uuid":"00000000')).toMatch(/another card/);
  // Each number of this card follows from its answers, but its entry was made for another patient's.
  const forged = JSON.parse(text) as Derived;
  const other = second as unknown as Derived;
  forged.cards[0]!.extension[DERIVATION_EXTENSION].answer =
    other.cards[0]!.extension[DERIVATION_EXTENSION].answer;
  await expect(verifyCard(forged, own.dataFolder)).rejects.toThrow(/by its inputs: entry 1/);
  const log = join(auditFolder(own.dataFolder), '2026-06-01.jsonl');
  const entries = readFileSync(log, 'utf8');
  expect(entries).not.toContain('160');
  rmSync(log);
  await expect(verifyCard(body, own.dataFolder)).rejects.toMatchObject({ code: 'HEALTH_CARD' });
});

describe.skipIf(tinyDisk.skip)(`on a full disk ${tinyDisk.reason}`, () => {
  it('answers 503 in place of an answer without its audit entry, and continues without a restart', async () => {
    using disk = mountTinyDisk('size=24m');
    await using own = await serving(testFolder(), { dataFolder: join(disk.folder, 'data') });
    expect((await own.view()).status).toBe(200);
    const ballast = join(disk.folder, 'ballast');
    fillDisk(ballast);
    const file = join(auditFolder(own.dataFolder), '2026-06-01.jsonl');
    const send = () => own.call('POST', '/fhir/$assess-heart', chartOf());
    let refused: Awaited<ReturnType<typeof send>> | undefined;
    let given = 1;
    // Used tokens may still fit into the state's own file; the audit log has the rest of its block.
    for (let i = 0; i < 40 && refused === undefined; i++) {
      const answer = await send();
      if (answer.status === 200) given++;
      else refused = answer;
    }
    expect(refused).toMatchObject({ status: expect.toBeOneOf([503, 507]) });
    expect(refused!.body['prediction']).toBeUndefined();
    rmSync(ballast);
    expect((await send()).status).toBe(200);
    expect(readFileSync(file, 'utf8').match(/"inference"/g)).toHaveLength(given + 1);
  });
});

it('keeps patients, bodies and tokens out of its log and its audit', async () => {
  const answersOfAll = JSON.stringify(logged);
  let audit = '';
  for await (const entry of readAuditLog(auditFolder(given.dataFolder)))
    audit += JSON.stringify(entry);
  for (const secret of [
    'Quillfeather',
    '1958-03-07',
    ':286',
    'opaque-access',
    'Patient/p1',
    'stents',
    'eyJ',
  ]) {
    expect([secret, answersOfAll.includes(secret), audit.includes(secret)]).toEqual([
      secret,
      false,
      false,
    ]);
  }
  expect((await verifyChain(auditFolder(given.dataFolder))).entries).toBeGreaterThan(10);
});

it('does not start without a version, or on one that was changed', async () => {
  const dataFolder = testFolder();
  const start = () =>
    serveHealth({ dataFolder, issuers: [], host: '127.0.0.1', port: 0, logger: keepingLogger([]) });
  await expect(start()).rejects.toMatchObject({ code: 'HEALTH_VERSION' });
  const own = await serving(testFolder(), { dataFolder });
  await own.health.close();
  const path = join(dataFolder, 'versions', own.health.version, 'version.json');
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.replace('"source"', '"origin"'));
  await expect(start()).rejects.toMatchObject({
    code: 'HEALTH_VERSION',
    message: expect.stringContaining('was changed'),
  });
});

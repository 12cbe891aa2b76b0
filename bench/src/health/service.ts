/**
 * The clinical service in a process of its own, as `skein-health serve` starts it, and a hospital's system that calls
 * it. Its version is trained on generated patients.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PREFETCH } from '../../../apps/health/src/hooks/messages.ts';
import {
  PATIENT,
  prefetchOf,
  RESULTS,
  type Results,
} from '../../../apps/health/src/testing/chart.ts';
import {
  ISS,
  signer,
  testVersion,
  tokenOf,
  viewOf,
  type Signer,
  type TokenParts,
} from '../../../apps/health/src/testing/serving.ts';
import { giveLabel, storeVersion } from '../../../apps/health/src/training/version-store.ts';
import { temporaryFolder } from '../harness/folder.ts';
import { freePort } from '../harness/free-port.ts';
import { launch, type ServerProcess } from '../harness/process.ts';

const MAIN = join(import.meta.dirname, '../../../apps/health/src/main.ts');
const DAY_MS = 86_400_000;
export const HOOK = '/cds-services/skein-heart';

export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Hospital {
  /** Starts the service on the folder and port of this hospital. */
  start(): Promise<ServerProcess>;
  readonly dataFolder: string;
  readonly signer: Signer;
  /** Signs a token for one call of the hook. */
  token(parts?: TokenParts): Promise<string>;
  /** Sends a `patient-view` request. @param token default: a new one. */
  view(body?: object, token?: string): Promise<Answer>;
}

export interface HospitalOptions {
  /** Where its data folder is made. */
  readonly folder: string;
  readonly fhirServers?: readonly string[];
  /** For one of several replicas: their shared Redis, key and public address. */
  readonly replica?: {
    readonly redis: string;
    readonly signer: Signer;
    readonly publicUrl: string;
  };
}

export async function openHospital({
  folder,
  fhirServers = [],
  replica,
}: HospitalOptions): Promise<Hospital> {
  const dataFolder = join(folder, 'data');
  await giveLabel(dataFolder, await storeVersion(dataFolder, await testVersion()));
  const own = replica?.signer ?? (await signer());
  const clients = join(folder, 'clients.json');
  const issuer = { iss: ISS, site: 'cleveland', keys: [own.jwk], fhirServers };
  await writeFile(clients, JSON.stringify({ issuers: [issuer] }));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const at = ['--data', dataFolder, '--port', String(port)];
  const shared =
    replica === undefined ? [] : ['--redis', replica.redis, '--public-url', replica.publicUrl];
  const audience = `${replica?.publicUrl ?? url}${HOOK}`;
  const token = (parts: TokenParts = {}) => tokenOf(own, audience, parts, Date.now());
  return {
    dataFolder,
    signer: own,
    token,
    start: () =>
      launch({
        command: process.execPath,
        args: [MAIN, 'serve', '--clients', clients, ...at, ...shared],
        url,
        readyPath: '/health',
      }),
    async view(body = viewToday(), given) {
      const response = await fetch(`${url}${HOOK}`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${given ?? (await token())}` },
        body: JSON.stringify(body),
      });
      const text = await response.text();
      return {
        status: response.status,
        body: (text === '' ? {} : JSON.parse(text)) as Answer['body'],
      };
    },
  };
}

/** Starts the service on a folder of its own for the time of the work. */
export async function withService<Result>(
  options: Omit<HospitalOptions, 'folder'>,
  work: (hospital: Hospital) => Promise<Result>,
): Promise<Result> {
  const folder = await temporaryFolder();
  try {
    const hospital = await openHospital({ ...options, folder: folder.path });
    const service = await hospital.start();
    try {
      return await work(hospital);
    } finally {
      await service.stop();
    }
  } finally {
    await folder.remove();
  }
}

/** The results of the tests' patient, each ten days old: the service asks for recent ones. */
export function resultsToday(): Results {
  const effectiveDateTime = new Date(Date.now() - 10 * DAY_MS).toISOString().slice(0, 10);
  return Object.fromEntries(
    Object.entries(RESULTS).map(([name, each]) => [name, { ...each, effectiveDateTime }]),
  );
}

/** A request with the whole chart prefetched, whose answer is a card. */
export const viewToday = (more: object = {}): object =>
  viewOf({ prefetch: prefetchOf(resultsToday()), ...more });

/** The chart as a FHIR server answers: by resource and by the codes that a search names. */
export function resourceAt(url: string): object {
  const asked = decodeURIComponent(url);
  if (asked.includes('/Patient/')) return PATIENT;
  const found = prefetchOf(resultsToday()) as Readonly<Record<string, object>>;
  const key = Object.keys(PREFETCH).find((each) =>
    asked.includes(`code=${/code=([^&]+)/.exec(PREFETCH[each]!)?.[1]}&`),
  );
  if (key === undefined) throw new Error(`The service has asked for ${asked}.`);
  return found[key]!;
}

/** @throws Error when the answer has not one card. */
export function cardIn({ status, body }: Answer): Readonly<Record<string, unknown>> {
  const cards = body['cards'];
  if (status === 200 && Array.isArray(cards) && cards.length === 1) {
    return cards[0] as Readonly<Record<string, unknown>>;
  }
  throw new Error(`No card, but ${status} ${JSON.stringify(body).slice(0, 300)}`);
}

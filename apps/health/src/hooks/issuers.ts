/**
 * The hospitals' systems that may call: each with its issuer, the place of its keys, the hospital that it serves
 * and the FHIR servers that the service may read. A call cannot name others: the service fetches
 * only from addresses in this file.
 */
import { readFile } from 'node:fs/promises';
import { SkeinError } from '@skein/api';
import { unreadable } from '@skein/api/file-errors';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { isLoopback } from '@skein/http';
import { z } from 'zod';

const Address = z
  .url({ protocol: /^https?$/ })
  .max(2000)
  .refine((url) => {
    const { protocol, hostname } = new URL(url);
    return protocol === 'https:' || isLoopback(hostname);
  }, 'must be https, except on this machine');

const Issuer = z
  .strictObject({
    iss: z.string().min(1).max(300),
    /** Address of its key set. */
    jku: Address.optional(),
    /** Its key set, where it is handed over by other means. */
    keys: z
      .array(z.looseObject({ kty: z.enum(['EC', 'RSA']), kid: z.string().max(200) }))
      .max(20)
      .optional(),
    /** Hospital, as the model's calibration names it. */
    site: z.string().min(1).max(100),
    fhirServers: z.array(Address).max(20).default([]),
    tenant: z.string().max(300).optional(),
  })
  .refine(
    ({ jku, keys }) => (jku === undefined) !== (keys === undefined),
    'needs either jku or keys',
  );
export type Issuer = z.output<typeof Issuer>;

const Issuers = z
  .strictObject({ issuers: z.array(Issuer).min(1).max(1000) })
  .refine(
    ({ issuers }) => new Set(issuers.map(({ iss }) => iss)).size === issuers.length,
    'names an issuer twice',
  );

/** @throws SkeinError FILE_UNREADABLE, HEALTH_CLIENTS. */
export async function readIssuers(path: string): Promise<readonly Issuer[]> {
  const text = await readFile(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  let given: unknown;
  try {
    given = readJson(text, JSON_BOUNDS.stored, 'file');
  } catch (error) {
    throw new SkeinError('HEALTH_CLIENTS', `${path}: ${(error as Error).message}`);
  }
  return issuersOf(given, path);
}

/** @throws SkeinError HEALTH_CLIENTS. */
export function issuersOf(given: unknown, at: string): readonly Issuer[] {
  const result = Issuers.safeParse(given);
  if (result.success) return result.data.issuers;
  const { path, message } = result.error.issues[0]!;
  throw new SkeinError('HEALTH_CLIENTS', `${at}: ${[...path, message].join(': ')}.`);
}

/**
 * Secrets by reference: `env:NAME`, `file:/PATH` or `gcp:projects/P/secrets/S[/versions/V]`. The
 * state holds the reference alone; the secret is read when its provider opens.
 */
import { readFile } from 'node:fs/promises';
import { SkeinError } from '@skein/api/errors';
import { googleHeaders } from '@skein/state/google';
import { upstreamError } from '../wire/upstream-error.ts';

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
const SECRET_MANAGER = 'https://secretmanager.googleapis.com';

/** @throws SkeinError PROVIDER_INVALID, whose message has the reference and never the secret. */
export async function readSecret(reference: string): Promise<string> {
  const [, kind, place = ''] = /^(env|file|gcp):(.+)$/s.exec(reference) ?? [];
  let secret: string | undefined;
  try {
    if (kind === 'env') secret = process.env[place];
    else if (kind === 'file') secret = await readFile(place, 'utf8');
    else if (kind === 'gcp') secret = await readGoogleSecret(place);
  } catch {
    // The cause may name more of the machine than the caller may know.
  }
  secret = secret?.trim();
  if (secret) return secret;
  throw new SkeinError(
    'PROVIDER_INVALID',
    `The secret ${reference.slice(0, 200)} cannot be read, or is empty.`,
  );
}

async function readGoogleSecret(name: string): Promise<string> {
  const version = name.includes('/versions/') ? name : `${name}/versions/latest`;
  const headers = await (await googleHeaders(SCOPE))();
  const answer = await fetch(`${SECRET_MANAGER}/v1/${version}:access`, {
    headers,
    signal: AbortSignal.timeout(10_000),
  });
  if (!answer.ok) throw new Error(`${answer.status}`);
  const { payload } = (await answer.json()) as { payload: { data: string } };
  return Buffer.from(payload.data, 'base64').toString();
}

/** Tokens for Vertex AI. */
export async function vertexCredentials(
  provider: string,
): Promise<() => Promise<Record<string, string>>> {
  const headers = await googleHeaders(SCOPE);
  return async () => {
    try {
      return await headers();
    } catch {
      // The library's own message may name files of the operator.
      throw upstreamError('PROVIDER_DENIED', {
        provider,
        isOfBackend: true,
        message: 'this node has no credentials of Google Cloud.',
      });
    }
  };
}

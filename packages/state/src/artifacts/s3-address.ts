/** The address of a bucket as one URL: `s3://bucket/prefix?endpoint=http://host:9000&region=eu-central-1`. */
import { SkeinError } from '@skein/api/errors';

export interface S3Address {
  readonly bucket: string;
  /** Prefix of every key; empty, or ends with `/`. */
  readonly prefix: string;
  /** Absent: the endpoint of AWS for the region. */
  readonly endpoint: string | undefined;
  /** Absent: AWS_REGION decides. */
  readonly region: string | undefined;
}

const PARAMETERS = new Set(['endpoint', 'region']);

/** @throws SkeinError USAGE. Credentials are never part of the URL: process lists and logs show it. */
export function parseS3Address(text: string): S3Address {
  const wrong = (what: string): SkeinError =>
    new SkeinError('USAGE', `"${withoutSecrets(text)}" is not a bucket: ${what}.`);
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw wrong('it should look like s3://bucket/prefix');
  }
  if (url.protocol !== 's3:' || url.hostname === '')
    throw wrong('it should look like s3://bucket/prefix');
  if (url.username !== '' || url.password !== '') {
    throw wrong('credentials belong in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY');
  }
  for (const name of url.searchParams.keys()) {
    if (!PARAMETERS.has(name)) throw wrong(`it has no parameter "${name}"`);
  }
  const endpoint = url.searchParams.get('endpoint') ?? undefined;
  if (endpoint !== undefined && !/^https?:\/\/[^/]/.test(endpoint)) {
    throw wrong(`its endpoint "${endpoint}" should start with http:// or https://`);
  }
  const path = decodeURIComponent(url.pathname).replaceAll(/^\/+|\/+$/g, '');
  return {
    bucket: url.hostname,
    prefix: path === '' ? '' : `${path}/`,
    endpoint,
    region: url.searchParams.get('region') ?? undefined,
  };
}

function withoutSecrets(text: string): string {
  return text.replace(/\/\/[^/@]*@/, '//…@');
}

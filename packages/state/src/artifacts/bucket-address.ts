/**
 * The address of a bucket as one URL, such as
 * `s3://bucket/prefix?endpoint=http://host:9000&region=eu-central-1` or `gs://bucket/prefix`.
 */
import { credentialIn } from '@skein/api/address-secrets';
import { SkeinError } from '@skein/api/errors';

/** Form of the URLs of one kind of bucket. */
export interface AddressForm {
  /** With its colon. */
  readonly scheme: string;
  readonly parameters: readonly string[];
  /** Where credentials belong. */
  readonly credentials: string;
}

export interface BucketAddress {
  readonly bucket: string;
  /** Prefix of every key; empty, or ends with `/`. */
  readonly prefix: string;
  /** Absent: the endpoint of the provider. */
  readonly endpoint: string | undefined;
  /** Absent: the environment decides. */
  readonly region: string | undefined;
}

/** @throws SkeinError USAGE. Credentials are never part of the URL: process lists and logs show it. */
export function parseBucketAddress(
  text: string,
  { scheme, parameters, credentials }: AddressForm,
): BucketAddress {
  const wrong = (what: string): SkeinError =>
    new SkeinError('USAGE', `"${withoutSecrets(text)}" is not a bucket: ${what}.`);
  const form = `it should look like ${scheme}//bucket/prefix`;
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw wrong(form);
  }
  if (url.protocol !== scheme || url.hostname === '') throw wrong(form);
  if (url.port !== '') {
    const server = `${scheme}//bucket/prefix?endpoint=http://${url.host}`;
    throw wrong(`a bucket has no port; a server of your own is named as in ${server}`);
  }
  if (url.hash !== '') throw wrong('a "#" in a prefix is written as %23');
  for (const name of url.searchParams.keys()) {
    if (!parameters.includes(name)) throw wrong(`it has no parameter "${name}"`);
    if (url.searchParams.get(name) === '') throw wrong(`its ${name} is empty`);
  }
  const endpoint = url.searchParams.get('endpoint') ?? undefined;
  if (endpoint !== undefined && !/^https?:\/\/[^/]/.test(endpoint)) {
    throw wrong(`its endpoint "${endpoint}" should start with http:// or https://`);
  }
  if (endpoint !== undefined && !URL.canParse(endpoint)) {
    throw wrong(`its endpoint "${endpoint}" is not a URL`);
  }
  if (credentialIn(text) !== undefined) throw wrong(`credentials belong in ${credentials}`);
  let path: string;
  try {
    path = decodeURIComponent(url.pathname).replaceAll(/^\/+|\/+$/g, '');
  } catch {
    throw wrong('a "%" in a prefix is written as %25');
  }
  return {
    bucket: url.hostname,
    prefix: path === '' ? '' : `${path}/`,
    endpoint,
    region: url.searchParams.get('region') ?? undefined,
  };
}

function withoutSecrets(text: string): string {
  return text.replaceAll(/\/\/[^/@]*@/g, '//…@');
}

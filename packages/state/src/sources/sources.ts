/** Model files by address: a line for each scheme. */
import { SkeinError } from '@skein/api/errors';
import { gcsSource, s3Source } from './bucket-source.ts';
import { httpsSource } from './http-source.ts';
import { hubSource } from './hub-source.ts';
import { unknownSource, type Source, type SourceOptions } from './source.ts';

export type { Source } from './source.ts';
export { fetchFile, type FetchOptions } from './fetch-file.ts';
export { fetchRange, type ByteRange, type RemoteFile } from './remote-file.ts';

const SCHEMES: Readonly<
  Record<string, (address: string, options: SourceOptions) => Source | Promise<Source>>
> = {
  'https:': httpsSource,
  'http:': httpsSource,
  's3:': s3Source,
  'gs:': gcsSource,
  'hf:': hubSource,
};

/** Whether a text is an address, and not a path. */
export const isAddress = (text: string): boolean => /^[a-z][a-z0-9+.-]+:\/\//i.test(text);

/** @throws SkeinError USAGE, SOURCE_… */
export async function openSource(address: string, options: SourceOptions): Promise<Source> {
  const scheme = /^[^:]*:/.exec(address)?.[0].toLowerCase() ?? '';
  const open = SCHEMES[scheme];
  if (open === undefined || !URL.canParse(address)) {
    const known = Object.keys(SCHEMES).map((each) => `${each}//`);
    throw new SkeinError(
      'USAGE',
      `"${address}" is not an address: it begins with ${known.join(', ')}.`,
    );
  }
  const source = await open(address, options);
  requireFileName(source);
  return source;
}

/** Variables that hold the credentials of a scheme. */
const CREDENTIALS: Readonly<Record<string, string>> = {
  s3: 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  gs: 'GOOGLE_APPLICATION_CREDENTIALS',
  hf: 'HF_TOKEN',
};

/** Refuses `--token-env` where no given file or address would be fetched with the token. @throws SkeinError USAGE. */
export function requireTokenUse(tokenEnv: string | undefined, given: readonly string[]): void {
  const schemes = given.map((each) =>
    isAddress(each) ? each.split(':', 1)[0]!.toLowerCase() : '',
  );
  if (tokenEnv === undefined || schemes.some((scheme) => /^https?$/.test(scheme))) return;
  const at = schemes.findIndex((scheme) => scheme in CREDENTIALS);
  const where =
    at < 0
      ? 'and none is given'
      : `and the credentials for ${schemes[at]}:// are in ${CREDENTIALS[schemes[at]!]}`;
  throw new SkeinError(
    'USAGE',
    `--token-env ${tokenEnv} is for https:// addresses, ${where}. Leave --token-env out.`,
  );
}

/** The file is written under this name. @throws SkeinError SOURCE_UNKNOWN. */
function requireFileName({ fileName, address }: Source): void {
  if (!/^\.{0,2}$|[/\\\0]/.test(fileName)) return;
  throw unknownSource(address, 'does not end with the name of a file');
}

/** Files of an HTTP server: `https://…`, the JSON API of Google Cloud Storage, Hugging Face. */
import { basename } from 'node:path/posix';
import { SkeinError } from '@skein/api/errors';
import {
  deniedSource,
  unknownSource,
  type Opened,
  type Source,
  type SourceOptions,
} from './source.ts';
import {
  pinnedGet,
  placeOf,
  SILENCE_MS,
  type PinnedAnswer,
  type PinnedRequest,
} from './pinned-request.ts';

/** A list of files of the largest repositories. */
const MOST_LIST_BYTES = 16 * 2 ** 20;

export interface HttpFiles {
  readonly address: string;
  readonly urlOf: (name: string) => URL;
  /** Headers with credentials. */
  readonly headers: () => Promise<Readonly<Record<string, string>>>;
}

/** Opens the files of a server for a source. */
export function httpOpener(
  { address, urlOf, headers }: HttpFiles,
  { allowPrivate, silenceMs = SILENCE_MS }: Pick<SourceOptions, 'allowPrivate' | 'silenceMs'>,
): Source['open'] {
  return async (name, { start, tag, end }, signal) => {
    const range: Record<string, string> =
      end !== undefined
        ? { range: `bytes=${start}-${end - 1}` }
        : start > 0 && tag !== undefined
          ? { range: `bytes=${start}-`, 'if-range': tag }
          : {};
    const sent = { ...range, ...(await headers()) };
    const request = { headers: sent, allowPrivate, signal, silenceMs };
    const answer = await pinnedGet(urlOf(name), request);
    return openedFrom(answer, start, `${address}${name === '' ? '' : ` (${name})`}`);
  };
}

function openedFrom(answer: PinnedAnswer, start: number, address: string): Opened {
  const { headers, passed, body } = answer;
  try {
    requireSuccess(answer, address);
    const [, from, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers['content-range'] ?? '') ?? [];
    const isPart = answer.status === 206;
    if (isPart && Number(from) !== start) {
      throw unknownSource(address, `answers with another part than the one from byte ${start}`);
    }
    const encoding = headers['content-encoding'] ?? 'identity';
    if (encoding !== 'identity') throw unknownSource(address, `is sent as ${encoding}, unasked`);
    const length = headers['content-length'];
    const whole = length === undefined ? undefined : Number(length);
    const tag = headers.etag?.startsWith('"') === true ? headers.etag : undefined;
    const generation = headers['x-goog-generation']?.toString();
    return {
      start: isPart ? start : 0,
      tag,
      identity: generation ?? tag ?? headers['last-modified'],
      totalBytes: isPart ? Number(total) : whole,
      digest: digestIn([headers, ...passed].map((each) => each['x-linked-etag'])),
      body,
    };
  } catch (error) {
    body.destroy();
    throw error;
  }
}

/** The body of a list of files. @throws SkeinError SOURCE_…; Error for a status that may pass. */
export async function readText(url: URL, address: string, request: PinnedRequest): Promise<string> {
  const answer = await pinnedGet(url, request);
  const parts: Buffer[] = [];
  let length = 0;
  try {
    requireSuccess(answer, address);
    for await (const part of answer.body as AsyncIterable<Buffer>) {
      parts.push(part);
      if ((length += part.byteLength) > MOST_LIST_BYTES) {
        throw unknownSource(address, 'has too long a list of files');
      }
    }
    return Buffer.concat(parts).toString();
  } finally {
    answer.body.destroy();
  }
}

/** @throws SkeinError SOURCE_DENIED, SOURCE_UNKNOWN; Error for a status that may pass. */
function requireSuccess({ status }: PinnedAnswer, address: string): void {
  if (status === 200 || status === 206) return;
  if (status === 401 || status === 403) throw deniedSource(address, `the server answers ${status}`);
  if (status === 404 || status === 410) throw unknownSource(address, 'does not exist');
  if (status === 408 || status === 429 || status >= 500) {
    throw new Error(`the server answers ${status}`);
  }
  throw unknownSource(address, `gets the status ${status}`);
}

/** Hugging Face states the sha-256 of a large file as an entity tag. */
function digestIn(tags: readonly (string | readonly string[] | undefined)[]): string | undefined {
  for (const tag of tags) {
    const found = /^"?([0-9a-f]{64})"?$/.exec(String(tag))?.[1];
    if (found !== undefined) return found;
  }
  return undefined;
}

/** @throws SkeinError USAGE. */
export function httpsSource(text: string, options: SourceOptions): Source {
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    const shown = placeOf(url);
    throw new SkeinError(
      'USAGE',
      `${shown}: an address holds no credentials. Put the token into a variable, and name it with --token-env.`,
    );
  }
  const address = placeOf(url);
  const fileName = nameIn(url);
  const token = tokenOf(options);
  if (token !== undefined && url.protocol !== 'https:') {
    throw new SkeinError(
      'USAGE',
      `The token of --token-env is sent over TLS only: write https: in place of ${url.protocol} in ${address}.`,
    );
  }
  const files: HttpFiles = {
    address,
    urlOf(name) {
      if (name === fileName) return url;
      const next = new URL(encodePath(name), url);
      next.search = url.search;
      return next;
    },
    headers: async () => bearer(token, url),
  };
  return { address, name: fileName, fileName, open: httpOpener(files, options) };
}

/** The last part of the path; empty for a malformed one. */
function nameIn({ pathname }: URL): string {
  try {
    return basename(decodeURIComponent(pathname));
  } catch {
    return '';
  }
}

export const encodePath = (name: string): string =>
  name.split('/').map(encodeURIComponent).join('/');

/** A token is sent over TLS only. */
export function bearer(token: string | undefined, url: URL): Readonly<Record<string, string>> {
  if (token === undefined || url.protocol !== 'https:') return {};
  return { authorization: `Bearer ${token}` };
}

function tokenOf({ tokenEnv, env }: SourceOptions): string | undefined {
  if (tokenEnv === undefined) return undefined;
  const token = env[tokenEnv];
  if (token !== undefined && token !== '') return token;
  throw new SkeinError('USAGE', `--token-env names ${tokenEnv}, and this variable is not set.`);
}

/**
 * One HTTP exchange with a bound on the other side's silence, and none on its slowness: the time
 * counts anew whenever a byte moves, from the first packet of the connection to the last of the
 * answer. `fetch` has no such bound for what it sends.
 */
import { type IncomingMessage, request as plain } from 'node:http';
import { request as secure } from 'node:https';
import { Readable } from 'node:stream';

export interface Exchange {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  /** The longest silence, in milliseconds. */
  readonly silenceMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** The other side was silent for as long as the bound. */
export class SilenceError extends Error {
  constructor(ms: number) {
    super(`no answer in ${ms / 1000} s`);
    this.name = 'SilenceError';
  }
}

/** So much is given to the kernel at a time: each piece that it takes shows that bytes move. */
const PIECE_BYTES = 64 * 1024;
/**
 * The kernel holds up to 4 MiB of a body, and does not report how they move. Four times 20 s for them are
 * 52 KiB/s.
 */
const IN_KERNEL = 4;
/** Statuses whose answers have no body. */
const EMPTY: ReadonlySet<number> = new Set([204, 205, 304]);

/** @throws SilenceError; errors of the connection. The body of the answer may fail with the same. */
export function exchange(url: URL, { silenceMs, body, ...asked }: Exchange): Promise<Response> {
  const { method, headers, signal } = asked;
  const length = String(body?.byteLength ?? 0);
  return new Promise((resolve, reject) => {
    const outgoing = (url.protocol === 'https:' ? secure : plain)(url, {
      method,
      headers: method === 'GET' ? headers : { ...headers, 'content-length': length },
      timeout: silenceMs,
      ...(signal === undefined ? {} : { signal }),
    });
    let boundMs = silenceMs;
    let answer: IncomingMessage | undefined;
    const within = (ms: number): void => void outgoing.setTimeout((boundMs = ms));
    outgoing.on('timeout', () => (answer ?? outgoing).destroy(new SilenceError(boundMs)));
    outgoing.on('error', reject);
    outgoing.on('response', (incoming) => {
      answer = incoming;
      within(silenceMs);
      const status = incoming.statusCode ?? 0;
      const head = new Headers();
      for (const [name, values = []] of Object.entries(incoming.headersDistinct)) {
        for (const value of values) head.append(name, value);
      }
      if (EMPTY.has(status)) incoming.resume();
      const content = EMPTY.has(status) ? null : (Readable.toWeb(incoming) as ReadableStream);
      resolve(
        new Response(content, { status, statusText: incoming.statusMessage ?? '', headers: head }),
      );
    });
    if (body === undefined) return void outgoing.end();
    outgoing.on('finish', () => within(IN_KERNEL * silenceMs));
    Readable.from(pieces(body)).pipe(outgoing);
  });
}

function* pieces(body: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < body.byteLength; start += PIECE_BYTES) {
    yield body.subarray(start, start + PIECE_BYTES);
  }
}

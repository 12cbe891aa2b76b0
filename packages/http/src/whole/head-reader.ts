/**
 * Reads the head of a request, if it is written as nearly every client writes it; anything else is for
 * Node's parser, which reads all of HTTP/1.1.
 *
 * The accepted form is narrow on purpose, because requests are smuggled where two servers read the same
 * bytes differently. Lines end with CRLF, names are tokens, values are visible ASCII, spaces and tabs
 * (RFC 9110, sections 5.5 and 5.6.2), no header appears twice, and nothing but one Content-Length
 * changes how the message is framed (RFC 9112, section 6). A fuzz target compares what is accepted
 * here with what Node reads.
 */
import type { Socket } from 'node:net';
import type { HttpRequest } from '../exchange/exchange.ts';

/** Length of a request that is read here, head and body together, in bytes: what one read of a socket brings. */
const MAX_WHOLE_BYTES = 64 * 1024;
/** Length of the request's line and headers, in bytes; Node has the same limit. */
const MAX_HEAD_BYTES = 16 * 1024;
/**
 * Length of the head that an idle connection keeps, in bytes: many times what clients send. As an object, a head
 * of short headers takes ten times its bytes, on each connection, and callers without a key send it.
 */
const MAX_KEPT_BYTES = 2 * 1024;

const END_OF_HEAD = Buffer.from('\r\n\r\n');
const REQUEST_LINE = /^(GET|POST) (\/[!"$-~]*) HTTP\/1\.1$/;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const VISIBLE = /^[\t -~]*$/;
const LENGTH = /^\d{1,9}$/;
/** They change the framing, ask for another protocol, wait for an answer before the body, or are lists in Node. */
const FOR_NODE: ReadonlySet<string> = new Set([
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'http2-settings',
  'proxy-connection',
  'set-cookie',
  '__proto__',
]);

export interface Head {
  readonly request: HttpRequest;
  /** Length of the request's line, the headers and the empty line, in bytes. */
  readonly headLength: number;
  /** Length of head and body, in bytes. */
  readonly length: number;
}

/** The reader of one connection. A short head that is repeated to the byte, as most are, costs a comparison. */
export class HeadReader {
  readonly #socket: Socket;
  #last: (Head & { readonly bytes: Buffer }) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** @returns `'incomplete'` when the head continues after these bytes. */
  read(bytes: Buffer): Head | 'incomplete' | 'for-node' {
    const last = this.#last;
    if (last !== undefined && startsWith(bytes, last.bytes)) return last;
    const end = bytes.indexOf(END_OF_HEAD);
    const headLength = end + END_OF_HEAD.length;
    if (end === -1 ? bytes.length > MAX_HEAD_BYTES : headLength > MAX_HEAD_BYTES) return 'for-node';
    if (end === -1) return 'incomplete';
    const request = this.#request(bytes.toString('latin1', 0, end));
    if (request === undefined) return 'for-node';
    const length = headLength + Number(request.headers['content-length'] ?? 0);
    if (length > MAX_WHOLE_BYTES) return 'for-node';
    const head = { request, headLength, length };
    // A copy: a view would keep the body alive.
    this.#last =
      headLength > MAX_KEPT_BYTES
        ? undefined
        : { ...head, bytes: Buffer.from(bytes.subarray(0, headLength)) };
    return head;
  }

  #request(text: string): HttpRequest | undefined {
    const [first, ...lines] = text.split('\r\n');
    const [, method, url] = REQUEST_LINE.exec(first!) ?? [];
    const headers = headersFrom(lines);
    if (method === undefined || url === undefined || headers === undefined) return undefined;
    const { connection = 'keep-alive', 'content-length': length = '0' } = headers;
    if (connection.toLowerCase() !== 'keep-alive' || !LENGTH.test(length)) return undefined;
    if (method === 'GET' && Number(length) > 0) return undefined;
    const socket = this.#socket;
    // Frozen: later requests with the same head get the same object.
    return Object.freeze({ method, url, httpVersion: '1.1', headers, socket, complete: true });
  }
}

function startsWith(bytes: Buffer, start: Buffer): boolean {
  const { length } = start;
  return bytes.length >= length && bytes.compare(start, 0, length, 0, length) === 0;
}

/** Each step takes time in proportion to the line: it comes from callers without a key. */
function headersFrom(lines: readonly string[]): Readonly<Record<string, string>> | undefined {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const sent = line.slice(0, colon);
    if (colon < 1 || !TOKEN.test(sent) || !VISIBLE.test(line)) return undefined;
    const name = sent.toLowerCase();
    if (FOR_NODE.has(name) || name in headers) return undefined;
    headers[name] = line.slice(colon + 1).trim();
  }
  return Object.freeze(headers);
}

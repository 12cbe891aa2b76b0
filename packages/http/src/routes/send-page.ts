/**
 * The answer with a page: compressed as the client takes it, and without a body where the client has
 * it already. Each page is hashed and compressed once, when it is first asked for that way.
 *
 * A page has no secret next to a caller's input, so that its compressed length reveals nothing.
 */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { type NodeExchange, SAFE_HEADERS, sendText } from '../exchange/exchange.ts';
import type { Page } from './pages.ts';

const brotli = promisify(brotliCompress);
/** Quality of 11: a runtime of 14 MB takes 1.3 s of a core, and 7.7 s at 9 for a twentieth fewer bytes. */
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } };
/** A smaller body fits into one packet anyway, in bytes. */
const WORTH_COMPRESSING = 1024;

/** The one that the server prefers comes first. */
const ENCODINGS = {
  br: (body: Uint8Array) => brotli(body, BROTLI),
  gzip: promisify(gzip) as (body: Uint8Array) => Promise<Buffer>,
} as const;
type Encoding = keyof typeof ENCODINGS;

/** A page as one kind of client gets it. */
interface Form {
  readonly body: Uint8Array;
  /** ETag, Vary and perhaps Content-Encoding; name and value alternating. */
  readonly headers: readonly string[];
  readonly tag: string;
}

const forms = new WeakMap<Page, Map<Encoding | undefined, Promise<Form>>>();

export async function sendPage(exchange: NodeExchange, page: Page): Promise<void> {
  const { request, response, id } = exchange;
  const { 'accept-encoding': accepted = '', 'if-none-match': known } = request.headers;
  const form = await formOf(page, encodingOf(accepted, page));
  const headers = [...page.headers, ...form.headers];
  if (!isKnown(known, form.tag)) {
    sendText(exchange, 200, page.type, form.body, headers);
  } else if (!response.destroyed) {
    response.writeHead(304, ['X-Request-Id', id, ...SAFE_HEADERS, ...exchange.headers, ...headers]);
    response.end();
  }
}

function encodingOf(accepted: string, { body }: Page): Encoding | undefined {
  if (body.length < WORTH_COMPRESSING) return undefined;
  const weights = new Map(
    accepted.split(',').map((each) => {
      const [name = '', ...parameters] = each.toLowerCase().split(';');
      const weight = parameters.find((parameter) => parameter.trim().startsWith('q='));
      return [name.trim(), Number(weight?.split('=')[1] ?? 1)];
    }),
  );
  const names = Object.keys(ENCODINGS) as Encoding[];
  return names.find((name) => (weights.get(name) ?? weights.get('*') ?? 0) > 0);
}

function formOf(page: Page, encoding: Encoding | undefined): Promise<Form> {
  const all = forms.get(page) ?? new Map<Encoding | undefined, Promise<Form>>();
  forms.set(page, all);
  const known = all.get(encoding);
  if (known !== undefined) return known;
  const made = makeForm(page, encoding);
  all.set(encoding, made);
  made.catch(() => all.delete(encoding));
  return made;
}

async function makeForm({ body }: Page, encoding: Encoding | undefined): Promise<Form> {
  const hash = createHash('sha256').update(body).digest('base64url').slice(0, 22);
  // Each form has a tag of its own: its bytes differ.
  const tag = encoding === undefined ? `"${hash}"` : `"${hash}-${encoding}"`;
  const headers = ['ETag', tag, 'Vary', 'Accept-Encoding'];
  if (encoding === undefined) return { body, headers, tag };
  headers.push('Content-Encoding', encoding);
  return { body: await ENCODINGS[encoding](body), headers, tag };
}

/** Compares weakly, as RFC 9110 (13.1.2) asks of If-None-Match. */
function isKnown(tags: string | undefined, tag: string): boolean {
  if (tags === undefined) return false;
  return (
    tags.trim() === '*' || tags.split(',').some((each) => each.trim().replace(/^W\//, '') === tag)
  );
}

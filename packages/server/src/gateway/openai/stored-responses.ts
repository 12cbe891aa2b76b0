/**
 * Stored responses: `GET` and `DELETE /v1/responses/{id}`, `GET /v1/responses/{id}/input_items`, and
 * the conversation that a request continues by `previous_response_id`. A key finds its own alone.
 */
import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { FieldError, MAX_NAME, type Message, type Part } from '@skein/generative';
import { SkeinError } from '@skein/api';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { type NodeExchange, sendText } from '@skein/http';
import type { StoredResponse } from '@skein/state';
import type { KeptResponses } from '../../language/kept-responses.ts';
import { requireMethod, unknownRoute } from '../face.ts';
import { type Fields, oneOf, optional, textAt, wholeAt } from '../language/fields.ts';
import { decodeSegment } from '../path-segment.ts';
import { summaryPart } from './reasoning-item.ts';
import type { ReasoningSeals } from './reasoning-seals.ts';
import { messagesOf } from './responses-request.ts';
import type { OpenAiTransport } from './options.ts';

/** The stored part of a response, as JSON. */
export interface KeptResponse {
  readonly response: Fields;
  /** Its own input, without what it continues. */
  readonly input: readonly Message[];
}

const PREVIOUS = 'previous_response_id';

/** Not the id of the request, which its client may choose. */
export const newResponseId = (): string => randomBytes(16).toString('hex');

/**
 * The messages of the responses that a request continues, oldest first.
 * @throws SkeinError GENERATION_UNSUPPORTED where none are stored, RESPONSE_UNKNOWN, BODY_TOO_LARGE,
 * BODIES_TOO_LARGE.
 */
export async function conversationOf(
  previous: unknown,
  kept: KeptResponses | undefined,
  hold: (bytes: number) => void,
  seals: ReasoningSeals,
): Promise<Message[]> {
  const id = optional(previous, (value) => textAt(value, PREVIOUS, MAX_NAME));
  if (id === undefined) return [];
  if (kept === undefined) {
    throw new FieldError(
      PREVIOUS,
      'This node stores no responses: send the items of the conversation in "input".',
      'GENERATION_UNSUPPORTED',
    );
  }
  // It lives as long as the body, and may be as large.
  const responses = await readChain(kept, id, hold);
  return responses.flatMap(({ input, response }) => [
    ...input,
    ...messagesOf(response['output'] as readonly unknown[], PREVIOUS, seals),
  ]);
}

/** Responses whose items a request may refer to. */
const MAX_REFERRED = 256;

/**
 * The items of a request, with stored ones in the place of references to them (`item_reference`), whose
 * ids name their responses.
 * @throws SkeinError RESPONSE_UNKNOWN, BODY_TOO_LARGE, BODIES_TOO_LARGE.
 */
export async function referredItems(
  input: unknown,
  kept: KeptResponses | undefined,
  hold: (bytes: number) => void,
): Promise<unknown> {
  if (kept === undefined || !Array.isArray(input)) return input;
  /** By the id of the response, then of the item. */
  const known = new Map<string, ReadonlyMap<unknown, Fields>>();
  const sizes = new Map<Fields, number>();
  const items: unknown[] = [];
  for (const [index, item] of (input as unknown[]).entries()) {
    const { type, id } = (item ?? {}) as Fields;
    if (type !== 'item_reference') {
      items.push(item);
      continue;
    }
    const param = `input[${index}].id`;
    const name = textAt(id, param, MAX_NAME);
    const response = /^(?:rs|msg|fc)_([0-9a-f]{32})(?:_\d+)?$/.exec(name)?.[1] ?? '';
    if (!known.has(response) && known.size < MAX_REFERRED) {
      const [found] = response === '' ? [] : await kept.chain(`resp_${response}`);
      hold(found?.value.length ?? 0);
      const output = found === undefined ? [] : storedIn(found).response['output'];
      known.set(response, new Map((output as Fields[]).map((each) => [each['id'], each])));
    }
    const referred = known.get(response)?.get(name);
    if (referred === undefined) {
      const text = `No item "${name}" is stored for this key. Send the item itself.`;
      throw new FieldError(param, text, 'RESPONSE_UNKNOWN');
    }
    // Each reference is written out for its provider, also those to one item.
    const size = sizes.get(referred) ?? JSON.stringify(referred).length;
    sizes.set(referred, size);
    hold(size);
    items.push(referred);
  }
  return items;
}

/** @throws SkeinError RESPONSE_UNKNOWN. */
async function readChain(
  kept: KeptResponses,
  id: string,
  hold: (bytes: number) => void = () => {},
): Promise<KeptResponse[]> {
  const chain = await kept.chain(id);
  const first = chain.at(-1);
  if (first === undefined) throw unknown(id);
  if (first.previous !== undefined) {
    const text = `The response "${first.id}" continues "${first.previous}", which is not stored any more.`;
    throw new FieldError(PREVIOUS, text, 'RESPONSE_UNKNOWN');
  }
  hold(chain.reduce((sum, { value }) => sum + value.length, 0));
  const responses: KeptResponse[] = [];
  for (const stored of chain.toReversed()) {
    responses.push(storedIn(stored));
    await turn();
  }
  return responses;
}

const storedIn = ({ value }: StoredResponse): KeptResponse =>
  readJson(value, JSON_BOUNDS.stored) as KeptResponse;

const unknown = (id: string): FieldError =>
  new FieldError(PREVIOUS, `No response "${id}" is stored for this key.`, 'RESPONSE_UNKNOWN');

/** @param path after `/v1/responses/`. */
export async function serveStoredResponse(
  exchange: NodeExchange,
  path: string,
  { access, responses }: OpenAiTransport,
): Promise<void> {
  const [segment = '', rest, ...more] = path.split('/');
  const isItems = rest === 'input_items';
  if (more.length > 0 || (rest !== undefined && !isItems)) throw unknownRoute(exchange);
  const { method, headers, url = '' } = exchange.request;
  const isRemoval = method === 'DELETE' && !isItems;
  if (!isRemoval) requireMethod(exchange, 'GET');
  const kept = await responses(access.authorize(headers.authorization, 'infer', exchange));
  if (kept === undefined) {
    throw new SkeinError('RESPONSE_UNKNOWN', 'This node stores no responses.');
  }
  const id = decodeSegment(segment).slice(0, MAX_NAME);
  const send = (value: object): void =>
    sendText(exchange, 200, 'application/json', JSON.stringify(value));
  if (isRemoval) {
    if (!(await kept.remove(id))) throw unknown(id);
    return send({ id, object: 'response', deleted: true });
  }
  const query = new URL(url, 'http://localhost').searchParams;
  if (isItems) {
    return send(pageOf(await readChain(kept, id), query));
  }
  if (query.get('stream') === 'true') {
    throw new FieldError('stream', 'A stored response is not streamed.', 'GENERATION_UNSUPPORTED');
  }
  const [found] = await kept.chain(id);
  if (found === undefined) throw unknown(id);
  return send(storedIn(found).response);
}

/** The prompt of the last response: the conversation before it, and its own input. */
function pageOf(responses: readonly KeptResponse[], query: URLSearchParams): object {
  const order = oneOf(query.get('order') ?? 'desc', 'order', ['asc', 'desc']);
  const limit = wholeAt(Number(query.get('limit') ?? 20), 'limit', 1, 100);
  const all = responses.flatMap(({ input, response }, index) => {
    const own = inputItems(input, String(response['id']).replace('resp_', ''));
    const isLast = index === responses.length - 1;
    return isLast ? own : [...own, ...(response['output'] as Fields[])];
  });
  if (order === 'desc') all.reverse();
  const after = query.get('after');
  const start = after === null ? 0 : all.findIndex((item) => item['id'] === after) + 1;
  if (after !== null && start === 0) {
    throw new FieldError('after', `No input item has the id "${after.slice(0, MAX_NAME)}".`);
  }
  const data = all.slice(start, start + limit);
  return {
    object: 'list',
    data,
    first_id: data[0]?.['id'] ?? null,
    last_id: data.at(-1)?.['id'] ?? null,
    has_more: start + limit < all.length,
  };
}

function inputItems(messages: readonly Message[], id: string): Fields[] {
  const items: Fields[] = [];
  const add = (prefix: string, item: Fields): void => {
    items.push({ id: `${prefix}_${id}_in${items.length}`, status: 'completed', ...item });
  };
  for (const { role, content, reasoning = '', toolCalls = [], toolCallId } of messages) {
    const parts = content.map((part) => partOf(part, role));
    if (role === 'tool') {
      add('fco', { type: 'function_call_output', call_id: toolCallId, output: parts });
      continue;
    }
    if (reasoning !== '') add('rs', { type: 'reasoning', summary: [summaryPart(reasoning)] });
    if (parts.length > 0) add('msg', { type: 'message', role, content: parts });
    for (const { id: call_id, name, arguments: text, extra } of toolCalls) {
      add('fc', { type: 'function_call', call_id, name, arguments: text, ...extra });
    }
  }
  return items;
}

function partOf(part: Part, role: Message['role']): Fields {
  if (part.type === 'other') return { ...part.value };
  if (part.type === 'image') return { type: 'input_image', detail: 'auto', image_url: part.url };
  return role === 'assistant'
    ? { type: 'output_text', text: part.text, annotations: [] }
    : { type: 'input_text', text: part.text };
}

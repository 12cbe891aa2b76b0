/** Sends a call from the page. The key goes to the address of the call alone: no redirect is followed. */
import { type Call, headersOf, urlOf } from '../calls/call.ts';

export type Answer =
  | { readonly state: 'unreachable' }
  | { readonly state: 'open' | 'ended'; readonly status: string; readonly text: string };

/** Characters of an answer that the page shows. */
const SHOWN = 64 * 1024;

/** The answer, again each time that more of it has arrived. */
export async function* send(
  call: Call,
  key: string,
  file: File | undefined,
  signal: AbortSignal,
): AsyncGenerator<Answer> {
  const { operation, body } = call;
  const begun = performance.now();
  try {
    const response = await fetch(urlOf(call), {
      method: operation.method,
      headers: {
        ...headersOf(call),
        ...(key === '' ? {} : { Authorization: `Bearer ${key}` }),
      },
      body: body === undefined ? null : 'json' in body ? body.json : (file ?? null),
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      redirect: 'error',
      signal,
    });
    const type = response.headers.get('content-type') ?? 'no content';
    const status = `${response.status} ${response.statusText} · ${type} · `;
    const isText = /json|^text\//.test(type);
    const decoder = new TextDecoder();
    let text = '';
    let bytes = 0;
    const soFar = (state: 'open' | 'ended'): Answer => ({
      state,
      status: `${status}${bytes} bytes · ${Math.round(performance.now() - begun)} ms`,
      text: isText ? legible(text, type) : '',
    });
    for await (const chunk of response.body ?? []) {
      bytes += chunk.byteLength;
      if (isText && text.length < SHOWN) text += decoder.decode(chunk, { stream: true });
      yield soFar('open');
    }
    yield soFar('ended');
  } catch {
    // The browser hides why: no connection, or no permission of the node for this page.
    if (!signal.aborted) yield { state: 'unreachable' };
  }
}

/** JSON with an indentation, where it is whole. */
function legible(text: string, type: string): string {
  if (!type.includes('json')) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** Talks to the node: calls with the key of this tab, and the stream of events. */

const KEY = 'skein-key';

export function storedKey() {
  return sessionStorage.getItem(KEY);
}

/** What is shown is asked for again: another key sees other things. */
export function storeKey(key) {
  sessionStorage.setItem(KEY, key);
  dispatchEvent(new Event('skein-key'));
}

export class Refused extends Error {
  constructor(status, body) {
    super(body.error ?? `The node answered ${status}.`);
    this.status = status;
    this.code = body.code ?? 'INTERNAL';
    this.fix = body.fix ?? '';
  }
}

/** Resolves with an answer that has not been read. @throws Refused */
export async function call(path, init = {}) {
  const key = storedKey();
  const response = await fetch(path, {
    ...init,
    headers: { ...init.headers, ...(key === null ? {} : { authorization: `Bearer ${key}` }) },
  });
  if (response.ok) return response;
  throw new Refused(response.status, await response.json().catch(() => ({})));
}

/** @returns the body of the answer, read as JSON. @throws Refused */
export async function ask(path, init) {
  return (await call(path, init)).json();
}

/** @throws Refused */
export function send(method, path, body) {
  const json = { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  return ask(path, { method, ...(body === undefined ? {} : json) });
}

/**
 * Follows a stream of events until aborted, reconnecting where it left off.
 * @param listen.event called with type and data. @param listen.state `live` or `lost`.
 * @param listen.locked resolves when another key may be tried.
 */
export async function follow(path, listen, signal = new AbortController().signal) {
  let lastEventId;
  while (!signal.aborted) {
    try {
      const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
      const response = await call(path, { headers, signal });
      listen.state('live');
      for await (const block of blocks(response.body)) {
        const fields = Object.fromEntries(
          block.split('\n').map((line) => {
            const colon = line.indexOf(': ');
            return [line.slice(0, colon), line.slice(colon + 2)];
          }),
        );
        lastEventId = fields.id ?? lastEventId;
        // The key was revoked, or has expired.
        if (fields.event === 'error') throw new Refused(401, JSON.parse(fields.data));
        if (fields.event !== undefined) listen.event(fields.event, JSON.parse(fields.data));
      }
      listen.state('lost');
    } catch (error) {
      if (signal.aborted) return;
      listen.state('lost');
      if (error.status === 401 || error.status === 403) {
        await listen.locked(error);
        continue;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 1500));
  }
}

/** The node writes one field per line and one empty line between events. */
async function* blocks(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let pending = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    pending += value;
    const parts = pending.split('\n\n');
    pending = parts.pop();
    yield* parts;
  }
}

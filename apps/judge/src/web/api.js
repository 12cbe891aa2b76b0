/** Talks to the judge: calls with the key of whoever is signed in, and the live view of a submission. */

const KEY = 'skein-judge-key';

export function storedKey() {
  return sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY);
}

/** @param remember whether it outlives this tab. */
export function storeKey(key, remember) {
  (remember ? localStorage : sessionStorage).setItem(KEY, key);
}

export function forgetKey() {
  sessionStorage.removeItem(KEY);
  localStorage.removeItem(KEY);
}

export class Refused extends Error {
  constructor(status, body) {
    super(body.error ?? `The judge answered ${status}.`);
    this.status = status;
    this.code = body.code ?? 'INTERNAL';
    this.fix = body.fix ?? '';
    this.retryAfterMs = body.retryAfterMs;
  }
}

async function open(path, init = {}, key = storedKey()) {
  const response = await fetch(path, {
    ...init,
    headers: { ...init.headers, ...(key === null ? {} : { authorization: `Bearer ${key}` }) },
  });
  if (response.ok) return response;
  throw new Refused(response.status, await response.json().catch(() => ({})));
}

/** @throws Refused. */
export async function get(path, key) {
  return (await open(`/api/v1/${path}`, {}, key)).json();
}

/** @throws Refused. */
export async function post(path, body) {
  const init = { method: 'POST' };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { 'content-type': 'application/json' };
  }
  return (await open(`/api/v1/${path}`, init)).json();
}

const AFTER_A_BREAK_MS = 1500;

/**
 * Follows a submission until its verdict, through breaks of the connection.
 * @param listen called with the name of each event and its data.
 * @throws Refused; whatever aborted the signal.
 */
export async function follow(submission, listen, signal) {
  for (;;) {
    try {
      const response = await open(`/api/v1/submissions/${submission}/events`, { signal });
      for await (const block of blocks(response.body)) {
        const fields = Object.fromEntries(
          block.split('\n').map((line) => {
            const colon = line.indexOf(': ');
            return [line.slice(0, colon), line.slice(colon + 2)];
          }),
        );
        if (fields.event === undefined) continue;
        listen(fields.event, JSON.parse(fields.data));
        if (fields.event === 'judged') return;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Refused && error.status < 500) throw error;
    }
    signal.throwIfAborted();
    listen('lost');
    await new Promise((resolve) => setTimeout(resolve, AFTER_A_BREAK_MS));
  }
}

/** The judge writes one field per line and one empty line between events. */
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

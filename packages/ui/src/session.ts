/** The API key of a page, kept in the browser, and the calls that are made with it. */
import { checkKey } from '@skein/api/client';
import { SkeinError, type ErrorBody } from '@skein/api/errors';
import { commands } from './commands.ts';
import { Store } from './store.ts';

export interface Session {
  /** Undefined when no key was entered. */
  readonly key: Store<string | undefined>;
  /** @param remember whether the key outlives this tab. */
  enter(key: string, remember?: boolean): void;
  leave(): void;
  /**
   * Resolves with an answer whose body has not been read.
   * @param as another key than the session's, to try it.
   * @throws SkeinError.
   */
  open(path: string, init?: RequestInit, as?: string): Promise<Response>;
}

/** A refusal with the fix that the server sent, which may be more specific than the table's. */
class Refused extends SkeinError {
  readonly fix: string;

  constructor(status: number, body: Partial<ErrorBody>) {
    super(
      body.code ?? 'INTERNAL',
      body.error ?? `The server answered ${status}.`,
      body.retryAfterMs === undefined ? {} : { retryAfterMs: body.retryAfterMs },
    );
    this.fix = body.fix ?? this.row.fix;
  }
}

export function explanationOf(error: SkeinError): string {
  return `${commands(error.message)} ${fixOf(error)}`;
}

export function fixOf(error: SkeinError): string {
  // The fix in the table is for operators who can start a node.
  if (error.code === 'NODE_UNREACHABLE') return 'Check your connection, and try again.';
  return commands(error instanceof Refused ? error.fix : error.row.fix);
}

/** @param name of the key in the browser's storage. */
export function openSession(name: string): Session {
  const stored = sessionStorage.getItem(name) ?? localStorage.getItem(name) ?? undefined;
  const key = new Store(stored);
  return {
    key,
    enter(entered, remember = false) {
      // The key of the tab comes first when the page is loaded: an older one would win.
      if (remember) sessionStorage.removeItem(name);
      (remember ? localStorage : sessionStorage).setItem(name, entered);
      key.set(entered);
    },
    leave() {
      sessionStorage.removeItem(name);
      localStorage.removeItem(name);
      key.set(undefined);
    },
    async open(path, init = {}, as = key.value) {
      checkKey(as);
      const headers = new Headers(init.headers);
      if (as !== undefined) headers.set('authorization', `Bearer ${as}`);
      let response: Response;
      try {
        response = await fetch(path, { ...init, headers });
      } catch (error) {
        throw new SkeinError('NODE_UNREACHABLE', 'The server does not answer.', { cause: error });
      }
      if (response.ok) return response;
      throw new Refused(response.status, await response.json().catch(() => ({})));
    },
  };
}

/** Whether another key may help. */
export function isAboutKey(error: unknown): error is SkeinError {
  return error instanceof SkeinError && [401, 403].includes(error.row.http);
}

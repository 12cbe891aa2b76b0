/** A judge over a test's own problems, and a client that returns every answer, errors included. */
import { enableCompileCache } from 'node:module';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SubmissionSummary, SubmissionView } from '../service/api/schemas.ts';
import { type RunningJudge, serveJudge, type ServeOptions } from '../service/serve.ts';
import { type Files, packageFolder } from './package-folder.ts';

// The command does the same: each submission has a thread, which loads its modules again.
enableCompileCache();

/** Reads a number and prints it: right for the minimal package. */
export const ECHO = 'print(input())\n';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export interface LiveEvent {
  readonly event: string;
  readonly data: Record<string, unknown>;
}

export interface Serving extends AsyncDisposable {
  readonly judge: RunningJudge;
  readonly url: string;
  readonly dataFolder: string;
  /** Adds a user. @returns a client with its key. */
  user(name: string, admin?: boolean): Promise<Caller>;
  readonly admin: Caller;
  readonly anonymous: Caller;
}

export interface Caller {
  readonly key: string | undefined;
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  /** @throws Error unless the answer is a success. */
  get<T>(path: string): Promise<T>;
  submit(problem: string, source: string, language?: string): Promise<SubmissionSummary>;
  /** Every event until the stream ends. */
  events(submission: number): Promise<LiveEvent[]>;
  /** Resolves with the submission when it is judged. */
  verdict(submission: number): Promise<SubmissionView>;
}

/** @param problems packages by name, each with its differences from the minimal one. */
export async function serving(
  problems: Readonly<Record<string, Files>>,
  options: Partial<ServeOptions> = {},
): Promise<Serving> {
  const folder = mkdtempSync(join(tmpdir(), 'skein-judge-'));
  const packages = join(folder, 'problems');
  for (const [name, files] of Object.entries(problems)) {
    mkdirSync(packages, { recursive: true });
    cpSync(packageFolder(files), join(packages, name), { recursive: true });
  }
  const dataFolder = options.dataFolder ?? join(folder, 'data');
  const judge = await serveJudge({
    problems: packages,
    dataFolder,
    host: '127.0.0.1',
    port: 0,
    parallel: 1,
    log: () => undefined,
    ...options,
  });
  const admin = caller(judge.url, judge.adminKey);
  return {
    judge,
    url: judge.url,
    dataFolder,
    admin,
    anonymous: caller(judge.url, undefined),
    async user(name, isAdmin = false) {
      const { body } = await admin.call('POST', 'users', { name, admin: isAdmin });
      return caller(judge.url, (body as { key: string }).key);
    },
    async [Symbol.asyncDispose]() {
      await judge.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function caller(url: string, key: string | undefined): Caller {
  const headers: Record<string, string> =
    key === undefined ? {} : { authorization: `Bearer ${key}` };

  async function call(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await fetch(path.startsWith('/') ? url + path : `${url}/api/v1/${path}`, {
      method,
      headers,
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return {
      status: response.status,
      headers: response.headers,
      body: isJson ? JSON.parse(text) : text,
    };
  }

  async function get<T>(path: string): Promise<T> {
    const answer = await call('GET', path);
    if (answer.status !== 200) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
    return answer.body as T;
  }

  async function events(submission: number): Promise<LiveEvent[]> {
    const text = await get<string>(`submissions/${submission}/events`);
    return text.split('\n\n').flatMap((block) => {
      const match = /^event: (.+)\ndata: (.+)$/.exec(block);
      if (match === null) return [];
      return [{ event: match[1] ?? '', data: JSON.parse(match[2] ?? '') as LiveEvent['data'] }];
    });
  }

  return {
    key,
    call,
    get,
    async submit(problem, source, language = 'python3') {
      const answer = await call('POST', 'submissions', { problem, language, source });
      if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
      return answer.body as SubmissionSummary;
    },
    events,
    async verdict(submission) {
      await events(submission);
      return get(`submissions/${submission}`);
    },
  };
}

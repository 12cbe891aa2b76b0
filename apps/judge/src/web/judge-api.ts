/** The judge that serves this page: calls with the key of the user, typed by its table of endpoints. */
import type { ResponseOf } from '@skein/api';
import { openSession, Store } from '@skein/ui';
import type { JUDGE_ENDPOINTS } from '../service/api/endpoints.ts';

type Answer<Id extends keyof typeof JUDGE_ENDPOINTS> = ResponseOf<(typeof JUDGE_ENDPOINTS)[Id]>;

export type Judge = Answer<'getJudge'>;
export type Me = Answer<'getMe'>;
export type ProblemRow = Answer<'listProblems'>['problems'][number];
export type Problem = Answer<'getProblem'>;
export type Statement = Answer<'getStatement'>;
export type Standings = Answer<'getStandings'>;
export type Submission = Answer<'getSubmission'>;
export type SubmissionRow = Answer<'submit'>;

export const session = openSession('skein-judge-key');

/** The user who is signed in. */
export const me = new Store<Me | undefined>(undefined);

const part = encodeURIComponent;

/** Under `/api/v1/`. */
const PATHS = {
  getMe: () => 'me',
  getJudge: () => 'judge',
  getStandings: () => 'standings',
  listProblems: () => 'problems',
  getProblem: (id: string) => `problems/${part(id)}`,
  getStatement: (id: string, language?: string) =>
    `problems/${part(id)}/statement${language === undefined ? '' : `?language=${part(language)}`}`,
  listSubmissions: (query: URLSearchParams) => `submissions?${query}`,
  getSubmission: (id: string) => `submissions/${part(id)}`,
  getSource: (id: string) => `submissions/${part(id)}/source`,
} as const;

/** @throws SkeinError. */
export async function get<Id extends keyof typeof PATHS>(
  id: Id,
  ...parameters: Parameters<(typeof PATHS)[Id]>
): Promise<Answer<Id>> {
  const pathOf = PATHS[id] as (...given: readonly unknown[]) => string;
  const response = await session.open(`/api/v1/${pathOf(...parameters)}`);
  return (await response.json()) as Answer<Id>;
}

/** The user whose key it is; the session keeps its own. @throws SkeinError. */
export async function userOf(key: string): Promise<Me> {
  const response = await session.open('/api/v1/me', {}, key);
  return (await response.json()) as Me;
}

async function post<Result>(path: string, body?: unknown): Promise<Result> {
  const json =
    body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const response = await session.open(`/api/v1/${path}`, { method: 'POST', ...json });
  return (await response.json()) as Result;
}

export const submit = (body: object): Promise<SubmissionRow> => post('submissions', body);
export const rejudge = (id: number): Promise<SubmissionRow> => post(`submissions/${id}/rejudge`);
export const rejudgeAll = (problem: string): Promise<Answer<'rejudgeProblem'>> =>
  post(`problems/${part(problem)}/rejudge`);

/** The judge that serves this page: calls with the key of the user, typed by its own schemas. */
import { openSession, Store } from '@skein/ui';
import type { z } from 'zod';
import type {
  JudgeView,
  MeView,
  ProblemSummary,
  ProblemView,
  RejudgedView,
  SourceView,
  StandingsView,
  StatementView,
  SubmissionSummary,
  SubmissionView,
} from '../service/api.ts';

export type Judge = z.infer<typeof JudgeView>;
export type Me = z.infer<typeof MeView>;
export type ProblemRow = z.infer<typeof ProblemSummary>;
export type Problem = z.infer<typeof ProblemView>;
export type Statement = z.infer<typeof StatementView>;
export type Standings = z.infer<typeof StandingsView>;
export type Submission = SubmissionView;
export type SubmissionRow = SubmissionSummary;

/** Resources under `/api/v1/`, by the beginning of the address. */
interface Reads {
  readonly me: Me;
  readonly judge: Judge;
  readonly standings: Standings;
  readonly problems: { readonly problems: readonly ProblemRow[] };
  readonly problem: Problem;
  readonly statement: Statement;
  readonly submissions: { readonly submissions: readonly SubmissionRow[]; readonly next?: number };
  readonly submission: Submission;
  readonly source: z.infer<typeof SourceView>;
}

export const session = openSession('skein-judge-key');

/** The user who is signed in. */
export const me = new Store<Me | undefined>(undefined);

const part = encodeURIComponent;

const PATHS = {
  me: () => 'me',
  judge: () => 'judge',
  standings: () => 'standings',
  problems: () => 'problems',
  problem: (id: string) => `problems/${part(id)}`,
  statement: (id: string, language?: string) =>
    `problems/${part(id)}/statement${language === undefined ? '' : `?language=${part(language)}`}`,
  submissions: (query: URLSearchParams) => `submissions?${query}`,
  submission: (id: string) => `submissions/${part(id)}`,
  source: (id: string) => `submissions/${part(id)}/source`,
} as const;

/** @throws SkeinError. */
export async function get<Kind extends keyof Reads>(
  kind: Kind,
  ...parameters: Parameters<(typeof PATHS)[Kind]>
): Promise<Reads[Kind]> {
  const pathOf = PATHS[kind] as (...given: readonly unknown[]) => string;
  const response = await session.open(`/api/v1/${pathOf(...parameters)}`);
  return (await response.json()) as Reads[Kind];
}

async function post<Answer>(path: string, body?: unknown): Promise<Answer> {
  const json =
    body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const response = await session.open(`/api/v1/${path}`, { method: 'POST', ...json });
  return (await response.json()) as Answer;
}

export const submit = (body: object): Promise<SubmissionRow> => post('submissions', body);
export const rejudge = (id: number): Promise<SubmissionRow> => post(`submissions/${id}/rejudge`);
export const rejudgeAll = (problem: string): Promise<z.infer<typeof RejudgedView>> =>
  post(`problems/${part(problem)}/rejudge`);

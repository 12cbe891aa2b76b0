/** The API of the judge, one row per call. */
import { z } from 'zod';
import type { Endpoint, ServiceDescription } from '@skein/api';
import * as api from './schemas.ts';

/** `public`: callers without a key too. `user`: callers with a key. */
export type Scope = 'public' | 'user' | 'admin';

const ofProblem = z.strictObject({ problem: api.ProblemId });
const ofSubmission = z.strictObject({ submission: api.SubmissionId });
const ofUser = z.strictObject({ user: z.string().max(100) });

/** Bytes of a body that names a user. */
const SMALL_BODY = 4096;

export const JUDGE_ENDPOINTS = {
  getJudge: {
    method: 'GET',
    path: '/api/v1/judge',
    summary: 'The languages that are judged here, and the reasons for missing ones.',
    scope: 'public',
    response: api.JudgeView,
  },
  getMe: {
    method: 'GET',
    path: '/api/v1/me',
    summary: 'The user of the key.',
    scope: 'user',
    response: api.MeView,
  },

  listProblems: {
    method: 'GET',
    path: '/api/v1/problems',
    summary: 'The problems, with the caller’s results.',
    scope: 'public',
    response: z.object({ problems: z.array(api.ProblemSummary) }),
  },
  getProblem: {
    method: 'GET',
    path: '/api/v1/problems/{problem}',
    summary: 'One problem: its limits, samples, languages and files.',
    scope: 'public',
    params: ofProblem,
    response: api.ProblemView,
    errors: ['PROBLEM_UNKNOWN'],
  },
  getStatement: {
    method: 'GET',
    path: '/api/v1/problems/{problem}/statement',
    summary: 'The statement, as safe HTML, LaTeX, or the address of a PDF.',
    scope: 'public',
    params: ofProblem,
    query: z.strictObject({ language: z.string().max(20).optional() }),
    response: api.StatementView,
    errors: ['PROBLEM_UNKNOWN'],
  },
  getProblemFile: {
    method: 'GET',
    path: '/api/v1/problems/{problem}/files/{path+}',
    summary: 'A picture of the statement, or an attachment.',
    scope: 'public',
    params: ofProblem.extend({ path: z.string().max(1000) }),
    download: '*/*',
    errors: ['PROBLEM_UNKNOWN'],
  },
  rejudgeProblem: {
    method: 'POST',
    path: '/api/v1/problems/{problem}/rejudge',
    summary: 'Judge every judged submission to a problem again, by the package as it is now.',
    scope: 'admin',
    params: ofProblem,
    status: 202,
    response: api.RejudgedView,
    errors: ['PROBLEM_UNKNOWN', 'PROBLEM_NOT_READY'],
  },

  submit: {
    method: 'POST',
    path: '/api/v1/submissions',
    summary: 'Hand in a program, or the answers to a submit-answer problem.',
    scope: 'user',
    body: api.NewSubmission,
    status: 201,
    response: api.SubmissionSummary,
    location: '/api/v1/submissions/{id}',
    errors: [
      'PROBLEM_UNKNOWN',
      'PROBLEM_NOT_READY',
      'SUBMISSION_INVALID',
      'LANGUAGE_UNAVAILABLE',
      'JUDGE_SANDBOX',
      'RATE_LIMITED',
    ],
  },
  listSubmissions: {
    method: 'GET',
    path: '/api/v1/submissions',
    summary: 'The caller’s submissions, newest first; for admins the submissions of all users.',
    scope: 'user',
    query: z.strictObject({
      user: z.string().max(100).optional(),
      problem: z.string().max(255).optional(),
      before: api.SubmissionId.optional().describe('Only those with smaller numbers.'),
      limit: z.coerce.number<number>().int().min(1).max(500).default(50),
    }),
    response: z.object({
      submissions: z.array(api.SubmissionSummary),
      next: z.int().optional().describe('`before` of the next page.'),
    }),
  },
  getSubmission: {
    method: 'GET',
    path: '/api/v1/submissions/{submission}',
    summary: 'One submission with the result of every test.',
    scope: 'user',
    params: ofSubmission,
    response: api.SubmissionView,
    errors: ['SUBMISSION_UNKNOWN'],
  },
  getSource: {
    method: 'GET',
    path: '/api/v1/submissions/{submission}/source',
    summary: 'Its files: for the author and admins.',
    scope: 'user',
    params: ofSubmission,
    response: api.SourceView,
    errors: ['SUBMISSION_UNKNOWN'],
  },
  streamSubmission: {
    method: 'GET',
    path: '/api/v1/submissions/{submission}/events',
    summary: 'Its judging, live: events `submission`, `running`, `test` and, last, `judged`.',
    description:
      'When the key is revoked, the stream ends with the event `error`, which holds the body of a refused request.',
    scope: 'user',
    params: ofSubmission,
    events: api.SubmissionEvent,
    eventsAre:
      'A stream of events: the `event` field is `type`, the `data` field is `data` as JSON.',
    errors: ['SUBMISSION_UNKNOWN'],
  },
  rejudge: {
    method: 'POST',
    path: '/api/v1/submissions/{submission}/rejudge',
    summary: 'Judge it again, by the package as it is now.',
    scope: 'admin',
    params: ofSubmission,
    status: 202,
    response: api.SubmissionSummary,
    errors: ['SUBMISSION_UNKNOWN', 'SUBMISSION_UNFINISHED', 'PROBLEM_UNKNOWN', 'PROBLEM_NOT_READY'],
  },

  getStandings: {
    method: 'GET',
    path: '/api/v1/standings',
    summary: 'Standings of all users: by the rules of the ICPC, and by scores.',
    scope: 'public',
    response: api.StandingsView,
  },

  listUsers: {
    method: 'GET',
    path: '/api/v1/users',
    summary: 'The users and the ids of their keys.',
    scope: 'admin',
    response: z.object({ users: z.array(api.UserView) }),
  },
  addUser: {
    method: 'POST',
    path: '/api/v1/users',
    summary: 'Add a user; the answer is the only time that the key is shown.',
    scope: 'admin',
    body: api.NewUser,
    maxBodyBytes: SMALL_BODY,
    status: 201,
    response: api.IssuedKey,
    errors: ['USER_EXISTS'],
  },
  addKey: {
    method: 'POST',
    path: '/api/v1/users/{user}/keys',
    summary: 'Make another key for a user.',
    scope: 'admin',
    params: ofUser,
    status: 201,
    response: api.IssuedKey,
    errors: ['USER_UNKNOWN'],
  },
  revokeKey: {
    method: 'DELETE',
    path: '/api/v1/keys/{key}',
    summary: 'Revoke a key, from the next call on.',
    scope: 'admin',
    params: z.strictObject({ key: z.string().max(100) }),
    response: z.object({ revoked: z.string() }),
    errors: ['KEY_UNKNOWN'],
  },
} as const satisfies Record<string, Endpoint<Scope>>;

export const JUDGE_DESCRIPTION: ServiceDescription = {
  title: 'Skein judge',
  version: '1',
  description: 'Problems in, submissions in, verdicts out.',
  keys: '`skein-judge users add NAME` makes one.',
  commonErrors: ['REQUEST_INVALID', 'KEY_MISSING', 'KEY_INVALID', 'SCOPE_MISSING', 'INTERNAL'],
};

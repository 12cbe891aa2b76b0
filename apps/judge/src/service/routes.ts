/** The API of the judge, one row per call. The OpenAPI description is generated from these rows. */
import { z } from 'zod';
import { testsOf } from '../package/problem.ts';
import { renderStatement } from '../statement/render-statement.ts';
import { samplesOf } from '../statement/samples.ts';
import type { Accounts } from './accounts.ts';
import * as api from './api.ts';
import type { Availability } from './availability.ts';
import type { Catalog } from './catalog.ts';
import type { EventStreams } from './events-stream.ts';
import type { JudgeService, ServiceLimits } from './judge-service.ts';
import { problemSummary, problemView } from './problem-view.ts';
import { fileAddress, nameOf, sendPackageFile } from './package-file.ts';
import { ANSWERED, type Route, route } from './route.ts';
import { standingsOf } from './standings.ts';
import type { Submissions } from './submissions.ts';
import type { TimeLimits } from './time-limits.ts';
import { standingsView, userView } from './views.ts';

export interface RoutesOptions {
  readonly service: JudgeService;
  readonly accounts: Accounts;
  readonly submissions: Submissions;
  readonly catalog: Catalog;
  readonly timeLimits: TimeLimits;
  readonly availability: () => Promise<Availability>;
  readonly streams: EventStreams;
  readonly limits: ServiceLimits;
  /** Start of the contest, for penalties; default: the first submission. */
  readonly startedAt: number | undefined;
}

const NONE = z.strictObject({});
const ofProblem = z.strictObject({ problem: api.ProblemId });
const ofSubmission = z.strictObject({ submission: api.SubmissionId });

export function judgeRoutes(options: RoutesOptions): readonly Route[] {
  const { service, accounts, submissions, catalog, timeLimits, availability, streams } = options;

  return [
    route('GET /api/v1/judge', {
      summary: 'The languages that are judged here, and the reasons for missing ones.',
      access: 'public',
      parameters: NONE,
      answer: api.JudgeView,
      async handle(_call, user) {
        const { reason, workers, parallel, languages } = await availability();
        return {
          judges: reason === undefined,
          reason,
          workers,
          parallel,
          languages,
          limits: options.limits,
          brokenPackages: user?.admin === true ? catalog.broken : undefined,
        };
      },
    }),
    route('GET /api/v1/me', {
      summary: 'The user of the key.',
      access: 'user',
      parameters: NONE,
      answer: api.MeView,
      handle: (_call, user) => user,
    }),

    route('GET /api/v1/problems', {
      summary: 'The problems, with the caller’s results.',
      access: 'public',
      parameters: NONE,
      answer: z.object({ problems: z.array(api.ProblemSummary) }),
      handle(_call, user) {
        const own = user === undefined ? undefined : submissions.scored();
        return {
          problems: service
            .problems(user)
            .map((one) => problemSummary(one, timeLimits, user?.name, own)),
        };
      },
    }),
    route('GET /api/v1/problems/{problem}', {
      summary: 'One problem: its limits, samples, languages and files.',
      access: 'public',
      parameters: ofProblem,
      answer: api.ProblemView,
      async handle({ parameters }, user) {
        const published = service.problem(parameters.problem, user);
        const own = user === undefined ? undefined : submissions.scored();
        return problemView(
          published,
          problemSummary(published, timeLimits, user?.name, own),
          await samplesOf(published.problem),
          (await availability()).languages,
          testsOf(published.problem.tests),
        );
      },
    }),
    route('GET /api/v1/problems/{problem}/statement', {
      summary: 'The statement, as safe HTML, LaTeX, or the address of a PDF.',
      access: 'public',
      parameters: ofProblem.extend({ language: z.string().max(20).optional() }),
      answer: api.StatementView,
      async handle({ parameters }, user) {
        const { problem } = service.problem(parameters.problem, user);
        const wanted = [parameters.language, 'en', problem.statements[0]?.language];
        const statement = wanted
          .map((language) => problem.statements.find((one) => one.language === language))
          .find((one) => one !== undefined)!;
        const address = (path: string): string => fileAddress(problem.shortName, path);
        const rendered = await renderStatement(problem, statement, address);
        return rendered.format === 'pdf'
          ? { format: 'pdf', url: address(rendered.path) }
          : rendered;
      },
    }),
    route('GET /api/v1/problems/{problem}/files/{path+}', {
      summary: 'A picture of the statement, or an attachment.',
      access: 'public',
      parameters: ofProblem.extend({ path: z.string().max(1000) }),
      answer: '*/*',
      async handle({ parameters, exchange }, user) {
        const published = service.problem(parameters.problem, user);
        await sendPackageFile(published, parameters.path, exchange.response);
        return ANSWERED;
      },
    }),
    route('POST /api/v1/problems/{problem}/rejudge', {
      summary: 'Judge every judged submission to a problem again, by the package as it is now.',
      access: 'admin',
      parameters: ofProblem,
      status: 202,
      answer: api.RejudgedView,
      handle: ({ parameters }, user) => service.rejudgeAll(parameters.problem, user),
    }),

    route('POST /api/v1/submissions', {
      summary: 'Hand in a program, or the answers to a submit-answer problem.',
      access: 'user',
      parameters: NONE,
      body: api.NewSubmission,
      status: 201,
      answer: api.SubmissionSummary,
      async handle({ body, exchange }, user) {
        const submission = await service.submit(user, body);
        exchange.response.setHeader('Location', `/api/v1/submissions/${submission.id}`);
        return submission;
      },
    }),
    route('GET /api/v1/submissions', {
      summary: 'The caller’s submissions, newest first; for admins those of all users.',
      access: 'user',
      parameters: z.strictObject({
        user: z.string().max(100).optional(),
        problem: z.string().max(255).optional(),
        before: api.SubmissionId.optional().describe('Only those with smaller numbers.'),
        limit: z.coerce.number().int().min(1).max(500).default(50),
      }),
      answer: z.object({
        submissions: z.array(api.SubmissionSummary),
        next: z.int().optional().describe('`before` of the next page.'),
      }),
      handle({ parameters }, user) {
        const found = service.history(parameters, user);
        const next = found.length === parameters.limit ? found.at(-1)?.id : undefined;
        return { submissions: found, next };
      },
    }),
    route('GET /api/v1/submissions/{submission}', {
      summary: 'One submission with the result of every test.',
      access: 'user',
      parameters: ofSubmission,
      answer: api.SubmissionView,
      handle: ({ parameters }, user) => service.submission(parameters.submission, user),
    }),
    route('GET /api/v1/submissions/{submission}/source', {
      summary: 'Its files: for the author and admins.',
      access: 'user',
      parameters: ofSubmission,
      answer: api.SourceView,
      async handle({ parameters }, user) {
        const files = await service.source(parameters.submission, user);
        return {
          files: files.map(({ path, content }) => {
            const text = textOf(content);
            return text === undefined
              ? { path, base64: Buffer.from(content).toString('base64') }
              : { path, content: text };
          }),
        };
      },
    }),
    route('GET /api/v1/submissions/{submission}/events', {
      summary: 'Its judging, live: events `submission`, `running`, `test` and, last, `judged`.',
      access: 'user',
      parameters: ofSubmission,
      answer: 'text/event-stream',
      async handle({ parameters, exchange }, user) {
        await streams.open(parameters.submission, user, exchange.response);
        return ANSWERED;
      },
    }),
    route('POST /api/v1/submissions/{submission}/rejudge', {
      summary: 'Judge it again, by the package as it is now.',
      access: 'admin',
      parameters: ofSubmission,
      status: 202,
      answer: api.SubmissionSummary,
      handle: ({ parameters }, user) => service.rejudge(parameters.submission, user),
    }),

    route('GET /api/v1/standings', {
      summary: 'Standings of all users: by the rules of the ICPC, and by scores.',
      access: 'public',
      parameters: NONE,
      answer: api.StandingsView,
      handle(_call, user) {
        const problems = service.problems(user).map(({ problem }) => problem);
        const ranked = problems.map(({ shortName, type, objective }) => ({
          id: shortName,
          scoring: type.scoring,
          objective,
        }));
        const shown = problems.map(({ shortName, names, type }) => ({
          id: shortName,
          name: nameOf(names, shortName),
          scoring: type.scoring,
        }));
        const rows = submissions.scored();
        const startedAt = options.startedAt ?? rows[0]?.submittedAt;
        return standingsView(standingsOf(rows, ranked, startedAt), shown, startedAt);
      },
    }),

    route('GET /api/v1/users', {
      summary: 'The users and their keys, of which only the ids are known.',
      access: 'admin',
      parameters: NONE,
      answer: z.object({ users: z.array(api.UserView) }),
      handle: () => ({ users: accounts.list().map(userView) }),
    }),
    route('POST /api/v1/users', {
      summary: 'Add a user; the answer is the only time that the key is shown.',
      access: 'admin',
      parameters: NONE,
      body: api.NewUser,
      status: 201,
      answer: api.IssuedKey,
      handle: ({ body }) => ({ user: body.name, key: accounts.add(body.name, body.admin) }),
    }),
    route('POST /api/v1/users/{user}/keys', {
      summary: 'Make another key for a user.',
      access: 'admin',
      parameters: z.strictObject({ user: z.string().max(100) }),
      status: 201,
      answer: api.IssuedKey,
      handle: ({ parameters: { user } }) => ({ user, key: accounts.addKey(user) }),
    }),
    route('DELETE /api/v1/keys/{key}', {
      summary: 'Revoke a key, from the next call on.',
      access: 'admin',
      parameters: z.strictObject({ key: z.string().max(100) }),
      answer: z.object({ revoked: z.string() }),
      handle({ parameters: { key } }) {
        accounts.revokeKey(key);
        return { revoked: key };
      },
    }),
  ];
}

/** @returns undefined when the content is not text. */
function textOf(content: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    return undefined;
  }
}

/** Handlers of the API's calls. */
import type { Handlers } from '@skein/http';
import { testsOf } from '../../package/problem.ts';
import type { JudgeAccess, JudgeCallers } from '../accounts/access.ts';
import type { Accounts, User } from '../accounts/accounts.ts';
import type { JUDGE_ENDPOINTS } from './endpoints.ts';
import type { JudgeService, JudgeServiceOptions } from '../judge-service.ts';
import { problemSummary, problemView } from './problem-view.ts';
import { fileAddress, nameOf, packageFile } from './package-file.ts';
import { standingsOf } from '../standings.ts';
import { submissionEvents } from '../submissions/submission-events.ts';
import { iso, userView } from './views.ts';

export interface HandlersOptions extends Pick<
  JudgeServiceOptions,
  'submissions' | 'catalog' | 'timeLimits' | 'availability' | 'limits'
> {
  readonly service: JudgeService;
  readonly accounts: Accounts;
  readonly access: Pick<JudgeAccess, 'check'>;
  /** Start of the contest, for penalties; default: the first submission. */
  readonly startedAt: number | undefined;
}

export function judgeHandlers(
  options: HandlersOptions,
): Handlers<typeof JUDGE_ENDPOINTS, JudgeCallers> {
  const { service, accounts, submissions, catalog, timeLimits, availability } = options;
  /** All submissions that count, for a caller whose own results are shown. */
  const scoredFor = (user: User | undefined) =>
    user === undefined ? undefined : submissions.scored();

  return {
    async getJudge({ caller: { user } }) {
      const { reason, workers, parallel, languages } = await availability();
      return {
        judges: reason === undefined,
        reason,
        workers,
        parallel,
        languages,
        limits: options.limits,
        brokenPackages: user?.admin === true ? [...catalog.broken] : undefined,
      };
    },
    getMe: ({ caller: { user } }) => user,

    listProblems({ caller: { user } }) {
      const rows = scoredFor(user);
      return {
        problems: service
          .problems(user)
          .map((one) => problemSummary(one, timeLimits, user?.name, rows)),
      };
    },
    async getProblem({ params, caller: { user } }) {
      const published = service.problem(params.problem, user);
      return problemView(
        published,
        problemSummary(published, timeLimits, user?.name, scoredFor(user)),
        (await availability()).languages,
        testsOf(published.problem.tests),
      );
    },
    getStatement({ params, query, caller: { user } }) {
      const { problem, statements } = service.problem(params.problem, user);
      const wanted = [query.language, 'en', problem.statements[0]?.language];
      const statement = wanted
        .map((language) => problem.statements.find((one) => one.language === language))
        .find((one) => one !== undefined)!;
      const rendered = statements.get(statement.path)!;
      return rendered.format === 'pdf'
        ? { format: 'pdf', url: fileAddress(problem.shortName, rendered.path) }
        : rendered;
    },
    getProblemFile: ({ params, caller: { user } }) =>
      packageFile(service.problem(params.problem, user), params.path),
    rejudgeProblem: ({ params, caller: { user } }) => service.rejudgeAll(params.problem, user),

    submit: ({ body, caller: { user } }) => service.submit(user, body),
    listSubmissions({ query, caller: { user } }) {
      const found = service.history(query, user);
      const next = found.length === query.limit ? found.at(-1)?.id : undefined;
      return { submissions: found, next };
    },
    getSubmission: ({ params, caller: { user } }) => service.submission(params.submission, user),
    async getSource({ params, caller: { user } }) {
      const files = await service.source(params.submission, user);
      return {
        files: files.map(({ path, content }) => {
          const text = textOf(content);
          return text === undefined
            ? { path, base64: Buffer.from(content).toString('base64') }
            : { path, content: text };
        }),
      };
    },
    streamSubmission: ({ params, caller: { user } }) =>
      submissionEvents(service, params.submission, user),
    rejudge: ({ params, caller: { user } }) => service.rejudge(params.submission, user),

    getStandings({ caller: { user } }) {
      const problems = service.problems(user).map(({ problem }) => ({
        id: problem.shortName,
        name: nameOf(problem.names, problem.shortName),
        scoring: problem.type.scoring,
        objective: problem.objective,
      }));
      const rows = submissions.scored();
      const startedAt = options.startedAt ?? rows[0]?.submittedAt;
      return {
        startedAt: startedAt === undefined ? undefined : iso(startedAt),
        problems: problems.map(({ id, name, scoring }) => ({ id, name, scoring })),
        ...standingsOf(rows, problems, startedAt),
      };
    },

    listUsers: () => ({ users: accounts.list().map(userView) }),
    addUser: ({ body }) => ({ user: body.name, key: accounts.add(body.name, body.admin) }),
    addKey: ({ params: { user } }) => ({ user, key: accounts.addKey(user) }),
    revokeKey({ params: { key } }) {
      accounts.revokeKey(key);
      options.access.check();
      return { revoked: key };
    },
  };
}

/** @returns undefined when the content is not text. */
function textOf(content: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    return undefined;
  }
}

/**
 * The operations of the judge, which the API and the tests call alike. Every answer is for one
 * caller, and contains only what that caller may see.
 */
import { SkeinError } from '@skein/api';
import type { ArtifactStore } from '@skein/state';
import { languageOf } from '../languages/languages.ts';
import { checkLanguage, checkSubmission } from '../judging/submission.ts';
import type { ProgramFile } from '../package/problem.ts';
import type { User } from './accounts/accounts.ts';
import type { NewSubmission, SubmissionSummary, SubmissionView } from './api/schemas.ts';
import type { Availability } from './problems/availability.ts';
import { putArtifact, readArtifact } from './worker/bytes.ts';
import type { Catalog, PublishedProblem } from './problems/catalog.ts';
import { languageOfFiles } from './submissions/judging-job.ts';
import type { Live, LiveListener } from './submissions/live.ts';
import { decodeSource, encodeSource, MAX_SOURCE_ARTIFACT } from './worker/source-files.ts';
import type { SubmissionFilter, SubmissionRow, Submissions } from './submissions/submissions.ts';
import type { TimeLimits } from './problems/time-limits.ts';
import { submissionView, summaryView } from './api/views.ts';

export interface ServiceLimits {
  readonly submissionsPerMinute: number;
  /** Largest number of unjudged submissions of one user. */
  readonly waitingPerUser: number;
  /** Largest body of a request. */
  readonly bodyBytes: number;
}

export const SERVICE_LIMITS: ServiceLimits = {
  submissionsPerMinute: 10,
  waitingPerUser: 20,
  bodyBytes: 16 * 2 ** 20,
};

/** The parts that the service, the follower and the calls of the API share. */
export interface JudgeParts {
  readonly catalog: Catalog;
  readonly submissions: Submissions;
  readonly timeLimits: TimeLimits;
  readonly artifacts: ArtifactStore;
  readonly live: Live;
}

export interface JudgeServiceOptions extends JudgeParts {
  readonly follower: { notice(submission: number): void };
  readonly availability: () => Promise<Availability>;
  /** Whether workers may join later: then a submission that no current worker can judge waits. */
  readonly waitsForWorkers: boolean;
  readonly limits: ServiceLimits;
  readonly now: () => number;
}

export type JudgeService = ReturnType<typeof createJudgeService>;

const MINUTE_MS = 60_000;

export function createJudgeService(options: JudgeServiceOptions) {
  const { catalog, submissions, timeLimits, artifacts, live, follower, availability } = options;
  const { limits, now } = options;

  const shown = ({ problem }: PublishedProblem, caller: User | undefined): boolean =>
    caller?.admin === true ||
    problem.embargoUntil === undefined ||
    now() >= Date.parse(problem.embargoUntil);

  /** @throws SkeinError PROBLEM_UNKNOWN. */
  function problem(id: string, caller: User | undefined): PublishedProblem {
    const found = catalog.problems.get(id);
    if (found !== undefined && shown(found, caller)) return found;
    throw new SkeinError('PROBLEM_UNKNOWN', `There is no problem "${id.slice(0, 100)}".`);
  }

  function rowOf(id: number, caller: User): SubmissionRow {
    const row = submissions.find(id);
    if (row === undefined) {
      throw new SkeinError('SUBMISSION_UNKNOWN', `There is no submission ${id}.`);
    }
    if (row.user !== caller.name && !caller.admin) {
      throw new SkeinError(
        'SCOPE_MISSING',
        `Submission ${id} belongs to another user; only its author and admins may see it.`,
      );
    }
    return row;
  }

  function refuseTooMany(user: User): void {
    const waiting = submissions.openOf(user.name);
    if (waiting >= limits.waitingPerUser) {
      throw new SkeinError(
        'RATE_LIMITED',
        `${waiting} submissions of ${user.name} are not judged yet; that is the most there may be.`,
        { retryAfterMs: 5000 },
      );
    }
    const nth = submissions.nthNewest(user.name, limits.submissionsPerMinute);
    // A time in the future was written by a clock that was set back since: it would refuse until then.
    const wait = nth === undefined || nth > now() ? 0 : nth + MINUTE_MS - now();
    if (wait > 0) {
      throw new SkeinError(
        'RATE_LIMITED',
        `${user.name} has handed in ${limits.submissionsPerMinute} submissions within a minute; that is the most there may be.`,
        { retryAfterMs: wait },
      );
    }
  }

  async function refuseUnjudgeable(language: string | undefined): Promise<void> {
    if (options.waitsForWorkers) return;
    const { reason, languages } = await availability();
    if (reason !== undefined) throw new SkeinError('JUDGE_SANDBOX', reason);
    const known = languages.find(({ code }) => code === language);
    if (known?.available === false) {
      throw new SkeinError(
        'LANGUAGE_UNAVAILABLE',
        `${known.name} cannot be judged here: ${known.reason}.`,
      );
    }
  }

  const summary = (row: SubmissionRow): SubmissionSummary => summaryView(row, live.stateOf(row.id));

  return {
    problem,
    problems: (caller: User | undefined): PublishedProblem[] =>
      [...catalog.problems.values()].filter((published) => shown(published, caller)),

    /**
     * @throws SkeinError PROBLEM_UNKNOWN, SUBMISSION_INVALID, LANGUAGE_UNAVAILABLE, JUDGE_SANDBOX,
     * PROBLEM_NOT_READY, RATE_LIMITED.
     */
    async submit(user: User, given: NewSubmission): Promise<SubmissionSummary> {
      const published = problem(given.problem, user);
      const files = filesOf(given);
      const submission = { files, language: given.language, entryPoint: given.entryPoint };
      checkSubmission(submission, published.problem);
      let language: string | undefined;
      if (!published.problem.type.submitAnswer) {
        language = languageOfFiles(files, given.language);
        if (language === undefined || languageOf(language) === undefined) {
          throw new SkeinError(
            'SUBMISSION_INVALID',
            language === undefined
              ? 'No language is known by the names of the files; name one as `language`.'
              : `There is no language "${language}".`,
          );
        }
        checkLanguage(language, published.problem);
      }
      timeLimits.of(published);
      await refuseUnjudgeable(language);
      refuseTooMany(user);
      const source = await putArtifact(artifacts, encodeSource(files));
      // More submissions of the same user may have arrived meanwhile; from here to the insert
      // nothing awaits.
      refuseTooMany(user);
      const id = submissions.add({
        user: user.name,
        problem: published.problem.shortName,
        language,
        entryPoint: given.entryPoint,
        source,
        sourceBytes: files.reduce((sum, { content }) => sum + content.byteLength, 0),
        package: published.digest,
      });
      follower.notice(id);
      return summary(rowOf(id, user));
    },

    /** @throws SkeinError SUBMISSION_UNKNOWN, SCOPE_MISSING. */
    async submission(id: number, caller: User): Promise<SubmissionView> {
      const row = rowOf(id, caller);
      const tests = row.judgedAt === undefined ? [] : submissions.testsOf(id, row.judging);
      const state = live.stateOf(id);
      const view = submissionView(
        row,
        tests,
        submissions.earlier(id, row.judging),
        state,
        caller.admin,
      );
      if (view.state !== 'waiting' || view.note !== undefined) return view;
      const note = waitingNote(row, await availability());
      return note === undefined ? view : { ...view, note };
    },

    async source(id: number, caller: User): Promise<ProgramFile[]> {
      const { source } = rowOf(id, caller);
      return decodeSource(await readArtifact(artifacts, source, MAX_SOURCE_ARTIFACT));
    },

    /**
     * Newest first: the caller's own; for admins the submissions of all users.
     * @throws SkeinError SCOPE_MISSING.
     */
    history(filter: SubmissionFilter, caller: User): SubmissionSummary[] {
      if (!caller.admin && filter.user !== undefined && filter.user !== caller.name) {
        throw new SkeinError(
          'SCOPE_MISSING',
          'Only admins may list the submissions of other users.',
        );
      }
      const user = caller.admin ? filter.user : caller.name;
      return submissions.list({ ...filter, user }).map(summary);
    },

    /**
     * @returns starts listening, and returns what stops it.
     * @throws SkeinError SUBMISSION_UNKNOWN, SCOPE_MISSING.
     */
    follow(id: number, caller: User) {
      rowOf(id, caller);
      return (listener: LiveListener) => live.listen(id, listener);
    },

    /** @throws SkeinError SUBMISSION_UNKNOWN, SUBMISSION_UNFINISHED, PROBLEM_UNKNOWN, PROBLEM_NOT_READY. */
    async rejudge(id: number, admin: User): Promise<SubmissionSummary> {
      const row = rowOf(id, admin);
      const published = problem(row.problem, admin);
      timeLimits.of(published);
      if (!submissions.reopen(id, admin.name, published.digest)) {
        throw new SkeinError('SUBMISSION_UNFINISHED', `Submission ${id} is being judged.`);
      }
      follower.notice(id);
      return summary(rowOf(id, admin));
    },

    /** Every judged submission to a problem. @throws SkeinError PROBLEM_UNKNOWN, PROBLEM_NOT_READY. */
    rejudgeAll(id: string, admin: User) {
      const published = problem(id, admin);
      timeLimits.of(published);
      const all = submissions.ofProblem(id);
      const reopened = all
        .filter((one) => one.isJudged && submissions.reopen(one.id, admin.name, published.digest))
        .map((one) => one.id);
      for (const one of reopened) follower.notice(one);
      return { submissions: reopened, skipped: all.length - reopened.length };
    },
  };
}

/** @throws SkeinError SUBMISSION_INVALID. */
function filesOf({ source, files, language }: NewSubmission): ProgramFile[] {
  if ((source === undefined) === (files === undefined)) {
    throw new SkeinError('SUBMISSION_INVALID', 'Send either `source` or `files`.');
  }
  if (source !== undefined) {
    const known = languageOf(language ?? '');
    if (known === undefined) {
      throw new SkeinError(
        'SUBMISSION_INVALID',
        language === undefined
          ? '`source` needs a `language`.'
          : `There is no language "${language}".`,
      );
    }
    const [extension = ''] = [...known.extensions, ...(known.sharedExtensions ?? [])];
    const name = language === 'java' ? 'Main' : 'main';
    return [{ path: `${name}${extension}`, content: utf8(source, '`source`'), executable: false }];
  }
  return (files ?? []).map(({ path, content, base64 }) => {
    if ((content === undefined) === (base64 === undefined)) {
      throw new SkeinError('SUBMISSION_INVALID', `${path}: send either \`content\` or \`base64\`.`);
    }
    const bytes =
      content === undefined
        ? Buffer.from(base64 ?? '', 'base64')
        : utf8(content, `${path}: \`content\``);
    return { path, content: new Uint8Array(bytes), executable: false };
  });
}

/** Another character would stand in for what has no UTF-8. @throws SkeinError SUBMISSION_INVALID. */
function utf8(text: string, what: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  throw new SkeinError(
    'SUBMISSION_INVALID',
    `${what} contains half of a surrogate pair, which has no UTF-8; bytes of another kind are sent as \`base64\`.`,
  );
}

/** Why no worker has taken it yet, when the reason is known. */
function waitingNote(
  { language }: SubmissionRow,
  { reason, languages }: Availability,
): string | undefined {
  if (reason !== undefined) return reason;
  const known = languages.find(({ code }) => code === language);
  if (known?.available !== false) return undefined;
  return `It waits for a worker that has ${known.name}: ${known.reason}.`;
}

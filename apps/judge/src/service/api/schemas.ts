/**
 * The judge's API as schemas of requests and answers. Times are ISO 8601 in UTC; lengths are ms and
 * bytes.
 */
import { z } from 'zod';
import { GroupRecord, TestRecord, UsageRecord, VerdictCode } from '../../judging/events.ts';

const Time = z.iso.datetime();

export const ProblemId = z.string().min(1).max(255).describe('Short name of the problem.');
export const SubmissionId = z.coerce
  .number<number>()
  .int()
  .min(1)
  .max(2 ** 48)
  .describe('Number of the submission.');

export const LanguageView = z.object({
  code: z.string(),
  name: z.string(),
  extensions: z.array(z.string()),
  available: z.boolean().describe('Whether a worker that is here now has its toolchain.'),
  reason: z.string().optional().describe('Why it is not available.'),
});

export const JudgeView = z.object({
  judges: z.boolean().describe('Whether there is a worker.'),
  reason: z.string().optional().describe('Why nothing is judged.'),
  workers: z.int(),
  parallel: z.int().describe('Submissions that are judged at once, at most.'),
  languages: z.array(LanguageView),
  limits: z.object({
    submissionsPerMinute: z.int(),
    waitingPerUser: z.int(),
    bodyBytes: z.int(),
  }),
  brokenPackages: z
    .array(z.object({ name: z.string(), reason: z.string() }))
    .optional()
    .describe('For admins.'),
});

export const MeView = z.object({ name: z.string(), admin: z.boolean() });

export const ProblemSummary = z.object({
  id: ProblemId,
  name: z.string(),
  types: z.array(z.enum(['pass-fail', 'scoring', 'interactive', 'multi-pass', 'submit-answer'])),
  timeMs: z.number().optional().describe('Cpu time; absent while it is measured.'),
  memoryBytes: z.int(),
  maxScore: z.number().optional(),
  mine: z
    .object({
      submissions: z.int(),
      accepted: z.boolean(),
      pending: z.boolean(),
      score: z.number().optional(),
    })
    .optional()
    .describe('What the caller has handed in.'),
});

const Sample = z.union([
  z.object({ name: z.string(), input: z.string(), output: z.string() }),
  z.object({ name: z.string(), interaction: z.string() }),
]);

export const ProblemView = ProblemSummary.extend({
  names: z.record(z.string(), z.string()).describe('By language of the statement.'),
  statements: z.array(z.object({ language: z.string(), format: z.enum(['md', 'tex', 'pdf']) })),
  samples: z.array(Sample),
  tests: z.int(),
  codeBytes: z.int().describe('The most that a submission may have.'),
  outputBytes: z.int(),
  languages: z.array(LanguageView).describe('Those that it may be solved in.'),
  attachments: z.array(z.object({ path: z.string(), url: z.string() })),
  answerFiles: z.array(z.string()).optional().describe('Of a submit-answer problem.'),
});

export const StatementView = z.discriminatedUnion('format', [
  z.object({ format: z.literal('html'), html: z.string().describe('Carries no script.') }),
  z.object({ format: z.literal('tex'), text: z.string() }),
  z.object({ format: z.literal('pdf'), url: z.string() }),
]);

export const NewSubmission = z.strictObject({
  problem: ProblemId,
  language: z.string().max(40).optional().describe('Code; default: by the names of the files.'),
  source: z
    .string()
    .optional()
    .describe('The program, when it is one file; needs `language`. Or `files`.'),
  files: z
    .array(
      z.strictObject({
        path: z.string().min(1).max(1000),
        content: z.string().optional().describe('Text; or `base64`.'),
        base64: z.base64().optional(),
      }),
    )
    .max(128)
    .optional(),
  entryPoint: z.string().max(300).optional(),
});
export type NewSubmission = z.infer<typeof NewSubmission>;

export const TestView = TestRecord.omit({ usage: true }).extend({
  ...UsageRecord.shape,
  passes: z.int(),
  feedback: TestRecord.shape.feedback.describe('Of tests whose data are public.'),
  judgeMessage: TestRecord.shape.judgeMessage.describe('For admins.'),
});
export type TestView = z.infer<typeof TestView>;

export const SubmissionSummary = z.object({
  id: z.int(),
  problem: ProblemId,
  user: z.string(),
  language: z.string().optional(),
  submittedAt: Time,
  sourceBytes: z.int(),
  state: z.enum(['waiting', 'compiling', 'running', 'judged']),
  judging: z.int().describe('How often it has been judged, this time included.'),
  judgedAt: Time.optional(),
  verdict: VerdictCode.optional(),
  score: z.number().optional(),
  maxScore: z.number().optional(),
  failingTest: z.string().optional().describe('The first that was not accepted.'),
  cpuMs: z.number().optional().describe('Largest of all tests, as the next ones.'),
  wallMs: z.number().optional(),
  memoryBytes: z.number().optional(),
});
export type SubmissionSummary = z.infer<typeof SubmissionSummary>;

export const SubmissionView = SubmissionSummary.extend({
  reason: z.string().optional(),
  note: z.string().optional().describe('Why it waits, or had to begin again.'),
  compileOutput: z.string().optional(),
  tests: z.array(TestView),
  groups: z.array(GroupRecord),
  total: z.int().optional().describe('Tests that there are.'),
  current: z.string().optional().describe('The test that runs.'),
  attempt: z.int().optional(),
  worker: z.string().optional().describe('For admins.'),
  earlier: z
    .array(
      z.object({
        judging: z.int(),
        verdict: VerdictCode,
        score: z.number().optional(),
        judgedAt: Time,
      }),
    )
    .describe('Judgings that count no more.'),
});
export type SubmissionView = z.infer<typeof SubmissionView>;

const step = { index: z.int(), total: z.int() };
export const SubmissionEvent = z.discriminatedUnion('type', [
  z.object({ type: z.enum(['submission', 'judged']), data: SubmissionView }),
  z.object({ type: z.literal('running'), data: z.object({ ...step, name: z.string() }) }),
  z.object({ type: z.literal('test'), data: z.object({ ...step, test: TestView }) }),
]);
export type SubmissionEvent = z.infer<typeof SubmissionEvent>;

export const SourceView = z.object({
  files: z.array(
    z.object({
      path: z.string(),
      content: z.string().optional(),
      base64: z.string().optional().describe('When it is not text.'),
    }),
  ),
});

export const RejudgedView = z.object({
  submissions: z.array(z.int()).describe('Those that are judged again.'),
  skipped: z.int().describe('Those that are being judged already.'),
});

const Cell = {
  problem: ProblemId,
  // Submissions in judging.
  pending: z.int(),
};
// Equal for users with equal results.
const rank = z.int();
export const StandingsView = z.object({
  startedAt: Time.optional(),
  problems: z.array(z.object({ id: ProblemId, name: z.string(), scoring: z.boolean() })),
  passFail: z.array(
    z.object({
      rank,
      user: z.string(),
      solved: z.int(),
      penalty: z.int().describe('Minutes.'),
      cells: z.array(
        z.object({
          ...Cell,
          solved: z.boolean(),
          // Before the first accepted one, or all when none is accepted.
          rejected: z.int(),
          // From the start to the first accepted one.
          minutes: z.int().optional(),
          // The first user that solved it.
          first: z.boolean(),
        }),
      ),
    }),
  ),
  scores: z.array(
    z.object({
      rank,
      user: z.string(),
      score: z.number(),
      cells: z.array(z.object({ ...Cell, score: z.number().optional(), submissions: z.int() })),
    }),
  ),
});

const KeyView = z.object({ id: z.string(), createdAt: Time, revokedAt: Time.optional() });
export const UserView = z.object({
  name: z.string(),
  admin: z.boolean(),
  createdAt: Time,
  keys: z.array(KeyView),
});
export const NewUser = z.strictObject({ name: z.string(), admin: z.boolean().default(false) });
export const IssuedKey = z.object({
  user: z.string(),
  key: z.string().describe('Shown once; only its hash is kept.'),
});

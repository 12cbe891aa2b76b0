/**
 * Whether an example submission got the expected result of its folder. Pure: takes the judgement
 * and the requirements, and returns the differences.
 */
import { globMatches, globOf } from '../package/format/glob.ts';
import type { Judgement, TestResult } from '../judging/events.ts';
import type { Verdict } from '../judging/verdict.ts';
import type {
  ExampleSubmission,
  ExpectedVerdict,
  Problem,
  Requirement,
} from '../package/problem.ts';

/**
 * The format has four verdicts: a program that exceeds its memory or output limit counts as
 * crashed.
 */
export function expectedVerdict(verdict: Verdict): ExpectedVerdict | undefined {
  switch (verdict) {
    case 'AC':
    case 'WA':
    case 'TLE':
    case 'RTE':
      return verdict;
    case 'MLE':
    case 'OLE':
      return 'RTE';
    case 'CE':
    case 'JE':
      return undefined;
  }
}

/** The tests that a requirement applies to. */
export function testsMeant(
  { tests }: Requirement,
  results: readonly TestResult[],
): readonly TestResult[] {
  if (tests === undefined) return results;
  const glob = globOf(tests);
  return results.filter((result) => globMatches(glob, result.name));
}

/** @returns the differences, as sentences; empty when there are none. */
export function unmetExpectations(
  example: ExampleSubmission,
  judgement: Judgement,
  problem: Problem,
): string[] {
  if (judgement.verdict === 'CE') return [notBuilt(judgement)];
  if (judgement.verdict === 'JE') return [`judge error: ${judgement.reason}`];
  return example.legacyDirectory === undefined
    ? example.requirements.flatMap((requirement) => unmet(requirement, judgement))
    : legacyUnmet(example.legacyDirectory, judgement, problem);
}

/** With the first line that the compiler wrote, unless that is the reason itself. */
function notBuilt({ reason, compileOutput }: Judgement): string {
  const [output = ''] = compileOutput.split('\n');
  return `it does not build: ${reason}${output === '' || output === reason ? '' : `: ${output}`}`;
}

function unmet(requirement: Requirement, judgement: Judgement): string[] {
  const { source, tests, permitted, required, score, message } = requirement;
  const where = tests === undefined ? source : `${source}, ${tests}`;
  const results = testsMeant(requirement, judgement.tests);
  const problems: string[] = [];
  const list = (verdicts: ReadonlySet<ExpectedVerdict>): string => [...verdicts].join(', ');
  const verdictOf = (result: TestResult): ExpectedVerdict =>
    expectedVerdict(result.verdict) ?? 'RTE';
  if (permitted !== undefined) {
    const bad = results.find((result) => !permitted.has(verdictOf(result)));
    if (bad !== undefined) {
      problems.push(
        `${bad.name} is ${bad.verdict}, and only ${list(permitted)} is permitted (${where})`,
      );
    }
  }
  if (required !== undefined && !results.some((result) => required.has(verdictOf(result)))) {
    problems.push(`no test is ${list(required)}, and one is required (${where})`);
  }
  if (score !== undefined) problems.push(...scoreUnmet(requirement, score, where, judgement));
  const isFound = results.some((result) => result.judgeMessage?.includes(message ?? '') === true);
  if (message !== undefined && !isFound) {
    problems.push(`no judgemessage.txt has "${message}" in it (${where})`);
  }
  return problems;
}

function scoreUnmet(
  { tests }: Requirement,
  [low, high]: readonly [number, number],
  where: string,
  judgement: Judgement,
): string[] {
  const glob = tests === undefined ? undefined : globOf(tests);
  const scores =
    glob === undefined
      ? [judgement.score]
      : judgement.groups
          .filter((group) => globMatches(glob, group.name))
          .map((group) => group.score);
  const off = scores.find((score) => score === undefined || score < low || score > high);
  if (scores.length > 0 && off === undefined) return [];
  const range = low === high ? `${low}` : `${low} to ${high}`;
  return [`the score is ${off ?? 'not given'} instead of ${range} (${where})`];
}

const LEGACY_VERDICTS: Readonly<Record<string, ExpectedVerdict>> = {
  accepted: 'AC',
  partially_accepted: 'AC',
  wrong_answer: 'WA',
  time_limit_exceeded: 'TLE',
  run_time_error: 'RTE',
};

function legacyUnmet(directory: string, judgement: Judgement, problem: Problem): string[] {
  const expected = LEGACY_VERDICTS[directory];
  if (expected === undefined) return [];
  // A grader may accept a submission that fails tests; in scoring problems one such test is enough.
  const got = problem.type.scoring && expected !== 'AC' ? judgement.tests : [judgement];
  const verdicts = got.map(({ verdict }) => expectedVerdict(verdict));
  if (!verdicts.includes(expected)) {
    return [`the verdict is ${judgement.verdict} instead of ${expected} (${directory})`];
  }
  const best = judgement.maxScore;
  if (directory === 'partially_accepted' && best !== undefined && judgement.score === best) {
    return [`the score is the best there is, ${best} (${directory})`];
  }
  return [];
}

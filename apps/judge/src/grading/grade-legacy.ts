/**
 * The legacy format's default grader, as a function: the results of a group's children, in order, to
 * one verdict and one score.
 */
import { JudgeFault } from '../judging/judge-fault.ts';
import type { Verdict } from '../judging/verdict.ts';

export interface Graded {
  readonly verdict: Verdict;
  readonly score: number;
}

const WORST_FIRST = ['JE', 'RTE', 'MLE', 'TLE', 'OLE', 'WA'] as const;

type VerdictMode = 'worst_error' | 'first_error' | 'always_accept';
type ScoreMode = 'sum' | 'avg' | 'min' | 'max';

/**
 * @param results in judging order; at the root, the sample's first.
 * @throws JudgeFault for flags that the grader does not have.
 */
export function gradeLegacy(results: readonly Graded[], flags: readonly string[]): Graded {
  let verdictMode: VerdictMode = 'worst_error';
  let scoreMode: ScoreMode = 'sum';
  let ignoreSample = false;
  let anyAccepted = false;
  for (const flag of flags) {
    switch (flag) {
      case 'worst_error':
      case 'first_error':
      case 'always_accept':
        verdictMode = flag;
        break;
      case 'sum':
      case 'avg':
      case 'min':
      case 'max':
        scoreMode = flag;
        break;
      case 'ignore_sample':
        ignoreSample = true;
        break;
      case 'accept_if_any_accepted':
        anyAccepted = true;
        break;
      default:
        throw new JudgeFault(`the default grader has no flag "${flag}"`);
    }
  }
  const counted = ignoreSample ? results.slice(1) : results;
  if (ignoreSample && results.length > 2)
    throw new JudgeFault('ignore_sample is for the root group only');
  return {
    verdict: verdictOf(counted, verdictMode, anyAccepted),
    score: scoreOf(
      counted.map((result) => result.score),
      scoreMode,
    ),
  };
}

function verdictOf(results: readonly Graded[], mode: VerdictMode, anyAccepted: boolean): Verdict {
  if (mode === 'always_accept') return 'AC';
  if (anyAccepted && results.some((result) => result.verdict === 'AC')) return 'AC';
  const errors = results.map((result) => result.verdict).filter((verdict) => verdict !== 'AC');
  if (mode === 'first_error') return errors[0] ?? 'AC';
  return WORST_FIRST.find((verdict) => errors.includes(verdict)) ?? errors[0] ?? 'AC';
}

function scoreOf(scores: readonly number[], mode: ScoreMode): number {
  if (scores.length === 0) return 0;
  const sum = scores.reduce((total, score) => total + score, 0);
  if (mode === 'sum') return sum;
  if (mode === 'avg') return sum / scores.length;
  return mode === 'min' ? Math.min(...scores) : Math.max(...scores);
}

/** One line of a grader's input or output: a code and a score. */
export function gradeLine({ verdict, score }: Graded): string {
  // The format has four codes.
  const code = verdict === 'MLE' || verdict === 'OLE' ? 'RTE' : verdict;
  return `${code} ${score}`;
}

/** @throws JudgeFault when a custom grader wrote anything but one result. */
export function parseGrade(text: string): Graded {
  const match = /^\s*(AC|WA|RTE|TLE)\s+([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*$/.exec(text);
  if (match === null) throw new JudgeFault(`the grader wrote "${text.slice(0, 80)}"`);
  return { verdict: match[1] as Verdict, score: Number(match[2]) };
}

/**
 * One answer about one patient: probability, prediction set, reasons, or the reason for having none.
 *
 * An uncertain answer is an interval. The set must be the same over a grid of all intervals; otherwise the
 * service abstains, because its answer would rest on a guess. The number that is shown belongs to the middle.
 */
import type { Gap, Inputs } from '../fhir/read-inputs.ts';
import { probabilityOf, setOf, type Outcome } from './calibration.ts';
import { QUESTIONS, FACTS, TYPICAL_CHOLESTEROL, type Answers, type Question } from './questions.ts';
import type { Scorer } from './scorer.ts';
import type { Version } from './version.ts';

/** Cholesterol of nearly every adult, mg/dL: what an unmeasured one may be. */
const CHOLESTEROL_RANGE = [130, 340] as const;
/** Values of each interval that are tried. */
const STEPS = 5;
/** More uncertain answers than this are no basis; the grid has STEPS to this power patients. */
const MOST_UNCERTAIN = 3;
/** Reasons that miss the difference of the logits by more are not shown, in log-odds. */
const LARGEST_GAP = 1e-3;

export type Abstention =
  | { readonly why: 'missing'; readonly missing: readonly (readonly [Question, Gap])[] }
  | { readonly why: 'uncalibrated' | 'undecided' | 'uncertain' | 'inexplicable' };

/** An interval whose ends give the same set. */
export interface Uncertain {
  readonly question: Question;
  readonly low: number;
  readonly high: number;
}

/** Everything that a card states, in numbers. */
export interface Answer {
  readonly version: string;
  readonly site: string;
  readonly answers: Answers;
  readonly uncertain: readonly Uncertain[];
  /** Before temperature. */
  readonly logit: number;
  /** Probability of disease, after temperature. */
  readonly probability: number;
  readonly set: readonly Outcome[];
  readonly calibratedOn: number;
  /** Log-odds after temperature by question; they add up to the difference to the baseline patient. */
  readonly reasons: Readonly<Record<Question, number>>;
  readonly baselineProbability: number;
}

export type Assessment =
  | { readonly answer: Answer; readonly abstention?: undefined }
  | { readonly answer?: undefined; readonly abstention: Abstention };

export function assess(
  { readings, gaps }: Inputs,
  site: string,
  version: Version,
  scorer: Scorer,
): Assessment {
  const needed = [...gaps].filter(
    ([question, gap]) => question !== 'cholesterol' || (gap !== 'absent' && gap !== 'stale'),
  );
  if (needed.length > 0) return { abstention: { why: 'missing', missing: needed } };
  const answers: Partial<Record<Question, number>> = {};
  const uncertain: Uncertain[] = [];
  for (const question of QUESTIONS) {
    const reading = readings.get(question);
    if (reading === undefined) {
      const [low, high] = CHOLESTEROL_RANGE;
      answers.cholesterol = TYPICAL_CHOLESTEROL;
      uncertain.push({ question, low, high });
    } else {
      const { low, high } = reading;
      answers[question] = middle(question, low, high);
      if (low !== high) uncertain.push({ question, low, high });
    }
  }
  return answerTo(answers as Answers, uncertain, site, version, scorer);
}

/** The answer as a function of what a card states; `skein-health verify` calls it again. */
export function answerTo(
  answers: Answers,
  uncertain: readonly Uncertain[],
  site: string,
  version: Version,
  scorer: Scorer,
): Assessment {
  const threshold = version.thresholds[site];
  if (threshold === undefined || threshold.margin === null) {
    return { abstention: { why: 'uncalibrated' } };
  }
  if (uncertain.length > MOST_UNCERTAIN) return { abstention: { why: 'uncertain' } };
  const { shares, logit, baselineLogit, gap } = scorer.reasons(answers);
  const set = setOf(logit, threshold);
  const others = scorer.logits(gridOf(answers, uncertain));
  if (others.some((other) => setOf(other, threshold).join() !== set.join())) {
    return { abstention: { why: 'uncertain' } };
  }
  if (set.length !== 1) return { abstention: { why: 'undecided' } };
  if (!(gap <= LARGEST_GAP)) return { abstention: { why: 'inexplicable' } };
  const { temperature, digest } = version;
  return {
    answer: {
      version: digest,
      site,
      answers,
      uncertain,
      logit,
      probability: probabilityOf(logit, temperature),
      set,
      calibratedOn: threshold.patients,
      reasons: Object.fromEntries(
        QUESTIONS.map((each) => [each, shares[each] / temperature]),
      ) as Record<Question, number>,
      baselineProbability: probabilityOf(baselineLogit, temperature),
    },
  };
}

/** Every combination of the values tried; none without an interval. */
function gridOf(answers: Answers, uncertain: readonly Uncertain[]): readonly Answers[] {
  if (uncertain.length === 0) return [];
  let grid: Answers[] = [answers];
  for (const { question, low, high } of uncertain) {
    const tried = FACTS[question].kind === 'choice' ? [low, high] : spread(low, high);
    grid = grid.flatMap((each) => tried.map((value) => ({ ...each, [question]: value })));
  }
  return grid;
}

const spread = (low: number, high: number): readonly number[] =>
  Array.from({ length: STEPS }, (_, i) => low + ((high - low) * i) / (STEPS - 1));

/** A level has no middle: the lower one is shown, and the set is the same for both. */
function middle(question: Question, low: number, high: number): number {
  return low === high || FACTS[question].kind === 'choice' ? low : (low + high) / 2;
}

/** An answer as a card that a clinician reads in the chart. */
import { DERIVATION_EXTENSION, OVERRIDE_REASONS } from '../fhir/codes.ts';
import { COVERAGE } from '../method/calibration.ts';
import { answerText, BASELINE, FACTS, QUESTIONS } from '../method/questions.ts';
import type { Answer } from '../method/assess.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
import { derivationOf } from './derivation.ts';
import type { Card } from './messages.ts';

export const NO_DEVICE = 'Not a medical device. It must not replace the judgement of a clinician.';

/** @param publicUrl of the service. */
export function cardOf(uuid: string, answer: Answer, entry: AuditEntry, publicUrl: string): Card {
  const isIll = answer.set[0] === 'ill';
  const finding = isIll ? 'Coronary heart disease likely' : 'Coronary heart disease unlikely';
  return {
    uuid,
    summary: `${finding}: ${percent(answer.probability)}, the only outcome left at ${percent(COVERAGE)} coverage`,
    detail: detailOf(answer),
    indicator: isIll ? 'warning' : 'info',
    source: { label: `Skein heart ${answer.version.slice(0, 12)}`, url: publicUrl },
    overrideReasons: OVERRIDE_REASONS,
    extension: { [DERIVATION_EXTENSION]: derivationOf(uuid, answer, entry) },
  };
}

function detailOf(answer: Answer): string {
  const { answers, reasons, uncertain, set, site, calibratedOn } = answer;
  const ranked = QUESTIONS.toSorted((a, b) => Math.abs(reasons[b]) - Math.abs(reasons[a]));
  const rows = ranked.map((question) => {
    const range = uncertain.find((each) => each.question === question);
    const value =
      range === undefined
        ? answerText(question, answers[question])
        : `between ${answerText(question, range.low)} and ${answerText(question, range.high)}`;
    const typical = answerText(question, BASELINE[question]);
    return `| ${FACTS[question].label} | ${value} | ${typical} | ${signed(reasons[question])} |`;
  });
  const others =
    uncertain.length === 0
      ? []
      : [
          '',
          `The finding is the same over the whole range of: ${uncertain.map(({ question }) => FACTS[question].label.toLowerCase()).join(', ')}.`,
        ];
  return [
    `Estimated probability of narrowed coronary arteries: **${percent(answer.probability)}**. A healthy man of ${BASELINE.age} has ${percent(answer.baselineProbability)}.`,
    '',
    `Prediction set: **${set.join(', ')}**. At ${site}, sets hold the right outcome in at least ${percent(COVERAGE)} of patients, calibrated on ${calibratedOn} of them. This promises nothing about a single patient.`,
    '',
    '| | This patient | Compared with | Log-odds |',
    '|---|---|---|---|',
    ...rows,
    ...others,
    '',
    NO_DEVICE,
  ].join('\n');
}

/** No estimate is certain: it never reads 0 or 100. */
function percent(share: number): string {
  if (share > 0.99) return 'over 99 %';
  return share < 0.01 ? 'under 1 %' : `${Math.round(100 * share)} %`;
}

const signed = (number: number): string =>
  `${number < 0 ? '−' : '+'}${Math.abs(number).toFixed(2)}`;

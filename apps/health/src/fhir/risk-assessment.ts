/** An answer as a FHIR R4 RiskAssessment; with an abstention it has no prediction, and a note with the reason. */
import { FACTS } from '../method/questions.ts';
import { COVERAGE } from '../method/calibration.ts';
import type { Assessment, Answer } from '../method/assess.ts';
import { SET_EXTENSION } from './codes.ts';
import type { Inputs } from './read-inputs.ts';

export interface RiskContext {
  readonly id: string;
  /** Reference of the patient. */
  readonly subject: string;
  readonly inputs: Inputs;
  readonly site: string;
  /** Digest of the version. */
  readonly version: string;
  /** ISO 8601. */
  readonly at: string;
}

export function riskAssessmentOf({ answer, abstention }: Assessment, context: RiskContext) {
  const { id, subject, inputs, version, at } = context;
  const sources = new Set([...inputs.readings.values()].map(({ source }) => source));
  return {
    resourceType: 'RiskAssessment',
    id,
    status: 'final',
    method: { text: 'Skein heart, integrated gradients and split conformal prediction' },
    subject: { reference: subject },
    occurrenceDateTime: at,
    performer: { identifier: { system: 'urn:skein:health:version', value: version } },
    basis: [...sources].filter((each) => each !== subject).map((reference) => ({ reference })),
    ...(answer === undefined ? {} : { prediction: [predictionOf(answer)] }),
    note: [
      ...(abstention === undefined ? [] : [{ text: abstentionText({ abstention }) }]),
      { text: 'Not a medical device.' },
    ],
  };
}

function predictionOf(answer: Answer) {
  const { probability, set, calibratedOn, site, reasons } = answer;
  return {
    extension: [
      {
        url: SET_EXTENSION,
        extension: [
          ...set.map((outcome) => ({ url: 'outcome', valueCode: outcome })),
          { url: 'coverage', valueDecimal: COVERAGE },
          { url: 'calibrated-on', valueInteger: calibratedOn },
          { url: 'site', valueString: site },
        ],
      },
    ],
    outcome: { text: 'coronary heart disease' },
    // Per cent (ras-2).
    probabilityDecimal: Number((100 * probability).toFixed(1)),
    rationale: Object.entries(reasons)
      .toSorted(([, a], [, b]) => Math.abs(b) - Math.abs(a))
      .map(
        ([question, share]) => `${FACTS[question as keyof typeof FACTS].label} ${share.toFixed(2)}`,
      )
      .join(', '),
  };
}

const WORDS = {
  uncalibrated: 'No answer: the model is not calibrated for this hospital.',
  undecided: 'No answer: neither outcome can be excluded at the promised coverage.',
  uncertain: 'No answer: it would depend on a value that the record leaves open.',
  inexplicable: 'No answer: its reasons do not add up to it.',
} as const;

export function abstentionText({
  abstention,
}: Pick<Assessment & { answer?: undefined }, 'abstention'>): string {
  if (abstention.why !== 'missing') return WORDS[abstention.why];
  const missing = abstention.missing.map(
    ([question, gap]) => `${FACTS[question].label.toLowerCase()} (${gap})`,
  );
  return `No answer: the record lacks ${missing.join(', ')}.`;
}

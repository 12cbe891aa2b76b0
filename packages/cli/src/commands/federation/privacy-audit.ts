/** `skein privacy audit`: tries to catch this installation's private training at spending more than it says. */
import { SkeinError } from '@skein/api';
import { audit, TrainError, type AuditReport } from '@skein/train';
import { privateTrainingTarget } from '@skein/train/federated';
import { nativeBackend } from '@skein/train/native';
import { defineCommand } from '../../command-line/command.ts';
import { decimal, integer, withDefault } from '../../command-line/option.ts';
import { renderTable, type Column } from '../../output/table.ts';

interface Row {
  readonly test: string;
  readonly evidence: string;
  readonly epsilon: number;
}

export const privacyAudit = defineCommand({
  name: 'privacy audit',
  summary: 'Audit the private training: guess who was in it, and compare with what it claims.',
  details:
    'Runs the private federated training of this installation on canaries, each of which is in it with probability 1/2: clipping of each example, quantisation, and noise from the cryptographic generator. ' +
    'The auditor guesses from the released sums which canaries were in it. Guesses that are too good for the claimed epsilon, or noise that comes again in a second run, are violations: the exit code is then 1.\n' +
    'Tests: one run (Steinke 2023) holds for any training; LiRA (Carlini 2022, with the trade-off of Nasr 2023) is closer for Gaussian noise. A passed audit is no proof of privacy; a failed one is a proof against it.',
  examples: [{ command: 'skein privacy audit --noise 1', does: 'One round, 2,000 canaries' }],
  arguments: {},
  options: {
    noise: withDefault(
      decimal('NOISE', 'Standard deviation of the noise over the sensitivity.', {
        min: 0.1,
        max: 100,
      }),
      '1',
    ),
    rounds: withDefault(integer('N', 'Rounds of the training.', { min: 1, max: 1000 }), '1'),
    canaries: withDefault(integer('N', 'Canaries.', { min: 100, max: 5000 }), '2000'),
    sites: withDefault(
      integer('N', 'Sites that share canaries and noise.', { min: 1, max: 16 }),
      '4',
    ),
    delta: withDefault(
      decimal('D', 'The probability with which epsilon may not hold.', { min: 1e-9, max: 0.1 }),
      '1e-5',
    ),
    confidence: withDefault(
      decimal('C', 'Confidence of each bound.', { min: 0.5, max: 0.9999 }),
      '0.999',
    ),
  },
  async run(_context, { confidence, ...options }): Promise<AuditReport> {
    try {
      return await audit(privateTrainingTarget({ ...options, backend: nativeBackend }), {
        confidence,
      });
    } catch (error) {
      if (error instanceof TrainError) throw new SkeinError('PRIVACY_UNATTAINABLE', error.message);
      throw error;
    }
  },
  render({ verdict, findings, claimed, delta, confidence, oneRun, lira }, style) {
    const rows: readonly Row[] = [
      { test: 'claimed', evidence: `accountant, delta ${delta}`, epsilon: claimed },
      {
        test: 'one run',
        evidence: `${oneRun.right} of ${oneRun.made} guesses right`,
        epsilon: oneRun.epsilon,
      },
      {
        test: 'LiRA',
        evidence: `${lira.falsePositives.right} of ${lira.falsePositives.made} wrongly in, ${lira.falseNegatives.right} of ${lira.falseNegatives.made} wrongly out`,
        epsilon: lira.epsilon,
      },
    ];
    const columns: Column<Row>[] = [
      ['TEST', ({ test }) => test],
      ['EVIDENCE', ({ evidence }) => evidence],
      [
        'EPSILON',
        ({ test, epsilon }) => `${test === 'claimed' ? '' : '≥ '}${epsilon.toFixed(3)}`,
        'right',
      ],
    ];
    return [
      renderTable(rows, columns, style),
      '',
      ...(verdict === 'holds'
        ? [`No violation found at a confidence of ${confidence}.`]
        : findings.map((each) => `${style.red('violated:')} ${each}`)),
    ].join('\n');
  },
  exitCode: ({ verdict }) => (verdict === 'holds' ? 0 : 1),
});

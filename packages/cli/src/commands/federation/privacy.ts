/** `skein privacy`: what differentially private training spends, before anything is trained. */
import { SkeinError } from '@skein/api';
import { LEFT, svgChart, text as label, WIDTH } from '@skein/api/svg-chart';
import {
  epsilonOf,
  type Mechanism,
  noiseFor,
  type Sampling,
  type Spent,
  TrainError,
} from '@skein/train';
import { defineCommand } from '../../command-line/command.ts';
import {
  choice,
  decimal,
  decimals,
  integer,
  text,
  withDefault,
} from '../../command-line/option.ts';
import { LINES_CSS, panel, RIGHT, wholeAxis } from '../../output/line-chart.ts';
import { type Column, renderTable } from '../../output/table.ts';
import { usageError } from '../../command-line/usage.ts';
import { writeGivenFile } from '../../file.ts';

const SAMPLINGS = ['poisson', 'fixed', 'all', 'tree'] as const;
const POINTS_OF_CURVE = 8;
const MOST_NOISES = 4;

interface Plan {
  readonly steps: number;
  /** Share of the rows in a step. */
  readonly rate: number;
  readonly sampling: (typeof SAMPLINGS)[number];
  readonly delta: number;
}

export interface Budgets extends Plan {
  readonly choices: readonly (Spent & { readonly noise: number })[];
  /** Limits that a reader should consider before relying on it. */
  readonly warnings: readonly string[];
  readonly svg?: string;
}

export const privacy = defineCommand({
  name: 'privacy',
  summary: 'Compute the privacy that a training spends, or the noise that a budget needs.',
  details:
    'Counts DP-SGD: examples are clipped to a norm, summed, and Gaussian noise of NOISE times that norm is added. ' +
    'Two accountants answer. PLD, privacy loss distributions, is close to exact. RDP, Rényi differential privacy, is a bound. The smaller ε counts.\n' +
    'Sampling is the way to draw a batch. Batches cut from a shuffled order are not Poisson samples: for one epoch of those take `tree`, with noise that is added along a tree.',
  examples: {
    'skein privacy --rows 60000 --batch 256 --epochs 15 --noise 1.1': 'What a training spends',
    'skein privacy --rows 60000 --batch 256 --epochs 15 --epsilon 3':
      'The noise that keeps to a budget',
    'skein privacy --rows 740 --batch 740 --steps 30 --sampling all --delta 1e-3 --noise 10,20,40 --svg budget.svg':
      'Several noises side by side, drawn over the steps',
  },
  arguments: {},
  options: {
    rows: integer('N', 'Rows of the training data, of all sites together.', [1, 1e12]),
    batch: integer('N', 'Rows of a step; the expected number with Poisson sampling.', [1, 1e12]),
    steps: integer('N', 'Steps of the training.', [1, 1e9]),
    epochs: decimal('N', 'Passes over the rows, in place of --steps.', [1e-6, 1e6]),
    noise: decimals(
      'NOISE',
      'Standard deviation of the noise over the clipping norm; up to four.',
      [1e-2, 1e6],
    ),
    epsilon: decimal('E', 'Budget to keep to, in place of --noise.', [1e-6, 1e3]),
    delta: withDefault(
      decimal('D', 'Probability with which epsilon may not hold.', [1e-9, 0.1]),
      '1e-5',
    ),
    sampling: withDefault(
      choice(SAMPLINGS, 'Way in which the rows of a step are drawn.'),
      'poisson',
    ),
    svg: text('FILE', 'Draw the spending over the steps into this file.'),
  },
  async run(context, { svg, epsilon, ...given }): Promise<Budgets> {
    const plan = planOf(given);
    const noises = noisesOf(plan, given.noise, epsilon);
    const choices = noises.map((noise) => ({
      noise,
      ...counted(() => epsilonOf([mechanism(plan, noise, plan.steps)], plan.delta)),
    }));
    const warnings =
      plan.delta * (given.rows ?? 1) >= 1
        ? [
            `delta ${plan.delta} is not below 1 / rows: releasing one row in full would keep to it. Take a --delta below ${(1 / given.rows!).toPrecision(1)}.`,
          ]
        : [];
    const result = { ...plan, choices, warnings };
    if (svg === undefined) return result;
    await writeGivenFile(context.cwd, svg, drawn(result));
    return { ...result, svg };
  },
  render({ steps, rate, sampling, delta, choices, warnings, svg }, style) {
    const columns: Column<Budgets['choices'][number]>[] = [
      ['NOISE', ({ noise }) => noise.toFixed(4), 'right'],
      ['EPSILON', ({ epsilon }) => style.bold(shown(epsilon)), 'right'],
      ['PLD', ({ pld }) => (pld === undefined ? '–' : shown(pld)), 'right'],
      ['RDP', ({ rdp }) => shown(rdp.epsilon), 'right'],
      ['ORDER', ({ rdp }) => String(rdp.order), 'right'],
    ];
    return [
      `${steps.toLocaleString('en')} steps, sampling ${sampling}${sampling === 'tree' ? '' : ` at ${Number(rate.toPrecision(4))}`}, delta ${delta}`,
      '',
      renderTable(style, choices, columns),
      ...warnings.map((warning) => `\n${style.yellow('warning:')} ${warning}`),
      ...(svg === undefined ? [] : [`\nThe curves are in ${svg}.`]),
    ].join('\n');
  },
});

function planOf(given: {
  readonly rows: number | undefined;
  readonly batch: number | undefined;
  readonly steps: number | undefined;
  readonly epochs: number | undefined;
  readonly delta: number;
  readonly sampling: Plan['sampling'];
}): Plan {
  const { rows, batch, steps, epochs, delta, sampling } = given;
  if (rows === undefined) throw usageError('--rows is missing: how many rows are trained on.');
  const size = sampling === 'all' ? rows : batch;
  if (size === undefined) throw usageError('--batch is missing: how many rows a step takes.');
  if (size > rows) throw usageError(`--batch ${size} is more than --rows ${rows}.`);
  if ((steps === undefined) === (epochs === undefined)) {
    throw usageError('Give either --steps or --epochs.');
  }
  const rate = size / rows;
  const taken = steps ?? Math.ceil(epochs! / rate);
  // In a second pass a row would be in a second leaf of the tree, which is not counted.
  const pass = Math.ceil(rows / size);
  if (sampling === 'tree' && taken > pass) {
    throw usageError(
      `--sampling tree counts one pass over the rows, of ${pass} steps, not ${taken}: for more passes take \`poisson\`.`,
    );
  }
  return { steps: taken, rate, sampling, delta };
}

function noisesOf(
  plan: Plan,
  noises: readonly number[] | undefined,
  epsilon: number | undefined,
): readonly number[] {
  if ((noises === undefined) === (epsilon === undefined)) {
    throw usageError('Give either --noise or --epsilon.');
  }
  if (epsilon === undefined) {
    if (noises!.length > MOST_NOISES)
      throw usageError(`--noise takes at most ${MOST_NOISES} values.`);
    return noises!;
  }
  const { delta, steps } = plan;
  return [counted(() => noiseFor({ epsilon, delta }, (noise) => [mechanism(plan, noise, steps)]))];
}

function mechanism({ sampling, rate }: Plan, noise: number, steps: number): Mechanism {
  if (sampling === 'tree') return { kind: 'tree', noise, steps };
  const drawn: Sampling = sampling === 'all' ? { kind: 'all' } : { kind: sampling, rate };
  return { kind: 'gaussian', noise, steps, sampling: drawn };
}

/** Errors of the accountant as errors of the command. */
function counted<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof TrainError) throw new SkeinError('PRIVACY_UNATTAINABLE', error.message);
    throw error;
  }
}

function drawn(plan: Budgets): string {
  const { steps, choices, delta, sampling } = plan;
  const at = Array.from({ length: POINTS_OF_CURVE }, (_, i) =>
    Math.max(1, Math.round((steps * (i + 1)) / POINTS_OF_CURVE)),
  );
  const series = choices.map(({ noise }, colour) => ({
    label: `noise ${Number(noise.toPrecision(3))}:`,
    colour,
    dashed: false,
    points: at.map((done) => ({
      x: done,
      value: epsilonOf([mechanism(plan, noise, done)], delta).epsilon,
    })),
  }));
  const x = (done: number): number => LEFT + (done / steps) * (WIDTH - LEFT - RIGHT);
  const title = 'Privacy spent';
  const subtitle = `epsilon at delta ${delta}, sampling ${sampling}`;
  return svgChart({ title, subtitle, label: `${title}: ${subtitle}` }, 420, LINES_CSS, [
    ...panel('epsilon', series, { top: 92, bottom: 348 }, x, false, (value) =>
      value === undefined ? '' : shown(value),
    ),
    ...wholeAxis(steps, x, 348),
    label((LEFT + WIDTH - RIGHT) / 2, 390, 'axis', 'steps', 'middle'),
  ]);
}

function shown(epsilon: number): string {
  return epsilon === Infinity ? 'infinite' : epsilon.toFixed(3);
}

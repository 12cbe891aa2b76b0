/** `skein federate simulate`: how well a strategy would train over sites, before there are any. */
import { createReadStream } from 'node:fs';
import { values } from '@skein/onnx';
import {
  assemble,
  LABELS,
  MASK,
  problemOf,
  readCsv,
  rowsFor,
  selectRows,
  splitRows,
  type Dataset,
} from '@skein/train';
import {
  equalSites,
  federatedModel,
  fewestUpdates,
  openPersonal,
  ROBUST_NAMES,
  type RobustRule,
  simulate,
  STRATEGY_NAMES,
  strategyOf,
} from '@skein/train/federated';
import { nativeBackend } from '@skein/train/native';
import { explaining, networkOf } from '@skein/train/run';
import { defineCommand } from '../../command-line/command.ts';
import { givenFile } from '../../file.ts';
import {
  argument,
  choice,
  decimal,
  integer,
  text,
  withDefault,
} from '../../command-line/option.ts';
import { renderTable, type Column } from '../../output/table.ts';
import { centresOf, gathered, inTurn } from '../../federation/centres.ts';
import {
  type CentreQuality,
  type Compared,
  comparedOn,
  majorityOf,
  type Metrics,
  openQuality,
  qualityOfCentres,
} from '../../federation/simulated-quality.ts';
import { usageError } from '../../command-line/usage.ts';

const HELD_OUT = 0.2;
/** L2 norm to which norm-bound shortens longer updates. */
const NORM = 1;

export interface SimulatedRow {
  readonly round: number;
  /** Mean loss of the sites' batches. */
  readonly loss: number;
  /** On held-out rows: accuracy and AUC, or errors. */
  readonly metrics: Metrics;
}

/** Each site's own model is tried on the rows of all. */
const MOST_PERSONAL = 200;

/** How rows are given to sites. @returns positions of each site's rows. */
type Split = (rows: Dataset, sites: number, seed: number) => readonly Uint32Array[];
const SPLITS: Readonly<Record<'equal' | 'sorted', Split>> = {
  equal: ({ count }, sites, seed) => equalSites(count, sites, seed),
  sorted({ count, tensors }, sites) {
    const labels = values(tensors.get(LABELS)!);
    const order = Uint32Array.from({ length: count }, (_, i) => i).toSorted(
      (a, b) => Number(labels[a]) - Number(labels[b]) || a - b,
    );
    const border = (site: number): number => Math.floor((site * count) / sites);
    return Array.from({ length: sites }, (_, i) => order.slice(border(i), border(i + 1)));
  },
};

export const federateSimulate = defineCommand({
  name: 'federate simulate',
  summary: 'Simulate a federation on this machine: the rows of one file, split over sites.',
  details:
    'A fifth of the rows is held out, and the model of each round is tested on them. The sites train as real ones do, one after the other, without transport, masks or noise: `skein privacy` computes the cost of noise. The encoding of columns is fitted to all training rows; a real plan names public ranges instead.',
  examples: {
    'skein federate simulate rows.csv --label disease --sites 20 --strategy fedadam':
      'Twenty sites with equal shares of the rows',
    'skein federate simulate rows.csv --label disease --sites 10 --hostile 2 --robust trimmed-mean':
      'Two of ten sites work against the others',
    'skein federate simulate rows.csv --label disease --split sorted --personal 0.1':
      'Sites that differ, each with a model of its own too',
    'skein federate simulate rows.csv --label disease --by hospital':
      'One site for each hospital, and what the model is worth at each',
    'skein federate simulate rows.csv --label disease --split sorted --json':
      'Sites that have rows of few classes',
  },
  arguments: { data: argument('FILE', 'Rows: .csv with a header.') },
  options: {
    label: text('COLUMN', 'Column to predict.'),
    model: withDefault(
      text('NETWORK', 'Network; mlp: a linear model; mlp:16: one hidden layer.'),
      'mlp',
    ),
    sites: integer('N', 'Sites. Default: 10.', [2, 10_000]),
    by: text(
      'COLUMN',
      'Column whose values are the sites, in place of --sites. A fifth of the rows of each is held out, and the quality of the model at each is reported.',
    ),
    split: withDefault(
      choice(
        ['equal', 'sorted'],
        'Split of the rows. equal: at random; sorted: by label, few classes a site.',
      ),
      'equal',
    ),
    strategy: withDefault(
      choice(STRATEGY_NAMES, 'Strategy by which the server applies the updates.'),
      'fedavg',
    ),
    hostile: withDefault(
      integer('N', 'Sites that send ten times the opposite of what they learnt.', [0, 10_000]),
      '0',
    ),
    robust: choice(
      ROBUST_NAMES,
      'Aggregation rule that tolerates the hostile sites, in place of the mean of the updates.',
    ),
    late: withDefault(
      integer(
        'N',
        'Largest age, in rounds, of the model that an update starts from, with fedbuff.',
        [0, 1000],
      ),
      '0',
    ),
    personal: decimal(
      'LAMBDA',
      'Strength with which the global model pulls a model of each site’s own (Ditto); 0: not at all.',
      [0, 1e6],
    ),
    personalFrom: choice(
      ['own', 'global'],
      'Start of a round. own: the site’s own model (Ditto); global: the global model (local fine-tuning). Default: own.',
    ),
    rounds: withDefault(integer('N', 'Rounds.', [1, 100_000]), '20'),
    epochs: withDefault(integer('N', 'Passes of a site in a round.', [1, 1000]), '1'),
    batch: withDefault(integer('N', 'Rows of a step.', [1, 100_000]), '10'),
    rate: withDefault(decimal('R', 'Learning rate of a site.', [1e-9, 1e3]), '0.1'),
    seed: withDefault(integer('N', 'Seed for weights, split and row order.', [0, 2 ** 31]), '0'),
  },
  async run({ cwd, notes, signal }, { data, label, model, split, seed, ...options }) {
    if (label === undefined) throw usageError('Name the column to predict: --label COLUMN.');
    const builder = networkOf(model);
    if (builder === undefined) throw usageError(`--model: "${model}" is not mlp or mlp:16,8.`);
    const { path } = await givenFile(cwd, data);
    const { strategy: name, sites: wanted, by, rounds, batch } = options;
    const { hostile, robust, late, rate, epochs } = options;
    const { personal: lambda, personalFrom } = options;
    if (lambda === undefined && personalFrom !== undefined) {
      throw usageError('--personal-from: give --personal LAMBDA too.');
    }
    const rule =
      robust === undefined ? undefined : { name: robust, dishonest: hostile, norm: NORM };
    if (late > 0 && name !== 'fedbuff') throw usageError('--late belongs to --strategy fedbuff.');
    if (by !== undefined && (wanted !== undefined || split !== 'equal')) {
      throw usageError('--by assigns the rows to sites: leave out --sites and --split.');
    }
    return explaining(data, async () => {
      const read = await readCsv(createReadStream(path));
      const centres = by === undefined ? [] : centresOf(read, by);
      const count = by === undefined ? (wanted ?? 10) : centres.length;
      requireSites({ count, hostile, rule, isPersonal: lambda !== undefined });
      const columns = read.columns.filter((column) => column.name !== by);
      const table = { count: read.count, columns };
      const given = { from: 'table', table, label } as const;
      const heldOf = centres.map(({ rows }) => splitRows(rows.length, { share: HELD_OUT, seed }));
      const [held, training] =
        by === undefined
          ? splitRows(table.count, { share: HELD_OUT, seed })
          : gathered(centres, heldOf);
      const fewest = lambda === undefined ? count : 5 * count;
      if (training.length < fewest) {
        throw usageError(`${training.length} training rows are too few for ${count} sites.`);
      }
      const start = assemble({ model: builder, data: given, rows: training, seed });
      const problem = problemOf(start, { batch });
      const all = rowsFor(start, given);
      const [rows, test] = [selectRows(all, training), selectRows(all, held)];
      // A full buffer has the rows of a round: an update counts by its rows.
      const strategy = strategyOf(name, { buffer: rows.count });
      const federated = federatedModel(problem.graded, strategy.site);
      const open = (tried: Dataset) => openQuality(problem, federated, tried, batch);
      const quality = await open(test);
      const found: SimulatedRow[] = [];
      const shares =
        by === undefined
          ? SPLITS[split](rows, count, seed)
          : inTurn(heldOf.map(([, { length }]) => length));
      // With models of its own, each site keeps every fifth of its rows to try them on.
      const kept =
        lambda === undefined ? [] : shares.map((own) => own.filter((_, i) => i % 5 === 4));
      const used =
        lambda === undefined ? shares : shares.map((own) => own.filter((_, i) => i % 5 < 4));
      const steps = {
        backend: nativeBackend,
        rows,
        batch,
        mask: MASK,
        learningRate: rate,
        epochs,
        seed,
      };
      const personal =
        lambda === undefined
          ? undefined
          : await openPersonal(problem.graded, lambda, steps, personalFrom);
      let compared: { readonly personal?: Compared } = {};
      let atCentres: { readonly centres?: readonly CentreQuality[] } = {};
      const isClassified = problem.blueprint.classes.length > 0;
      try {
        const { parameters } = await simulate(federated, {
          ...steps,
          strategy,
          sites: used,
          rounds,
          hostile,
          late,
          ...(personal === undefined ? {} : { personal }),
          ...(rule === undefined ? {} : { robust: rule }),
          async onRound({ round, loss, state }) {
            const metrics = await quality.report(state.parameters);
            found.push({ round, loss, metrics });
            notes.progress(`Round ${round} of ${rounds} …`);
            return !signal.aborted;
          },
        });
        if (by !== undefined) {
          const parts = inTurn(heldOf.map(([{ length }]) => length));
          const tried = centres.map(({ name: centre }, i) => ({
            name: centre,
            trainingRows: shares[i]!.length,
            held: selectRows(test, parts[i]!),
          }));
          atCentres = { centres: await qualityOfCentres(tried, parameters, isClassified, open) };
        }
        if (personal !== undefined) {
          const own = (site: number) => personal.of(site) ?? parameters;
          const openRows = (rowsOf: Uint32Array) => open(selectRows(rows, rowsOf));
          compared = { personal: await comparedOn(kept, own, parameters, openRows) };
        }
      } finally {
        notes.clear();
        await quality.close();
        await personal?.close();
      }
      const counts = { trainingRows: rows.count, heldOutRows: test.count };
      const frequent = isClassified ? { majority: majorityOf(test) } : {};
      const taken = robust === undefined ? {} : { robust };
      const which = { strategy: name, ...taken, hostile, sites: count, split: by ?? split };
      return { ...which, ...counts, ...frequent, ...compared, ...atCentres, rounds: found };
    });
  },
  render(found, style) {
    const { strategy, robust, hostile, sites, split } = found;
    const { trainingRows, heldOutRows, majority, personal, centres, rounds } = found;
    const names = Object.keys(rounds.at(-1)?.metrics ?? {});
    const columns: readonly Column<SimulatedRow>[] = [
      ['ROUND', ({ round }) => String(round), 'right'],
      ['LOSS', ({ loss }) => loss.toFixed(4), 'right'],
      ...metricColumns<SimulatedRow>(names),
    ];
    const frequent =
      majority === undefined ? '' : ` The most frequent class has ${majority.toFixed(4)} of them.`;
    return [
      renderTable(style, rounds, columns),
      '',
      `${strategy}${robust === undefined ? '' : ` with ${robust}`} over ${sites} simulated sites (${split}${hostile === 0 ? '' : `, ${hostile} hostile`}) with ${trainingRows} rows; tried on ${heldOutRows} held-out rows.${frequent}`,
      ...(personal === undefined ? [] : [textOf(personal)]),
      ...(centres === undefined ? [] : ['', renderTable(style, centres, columnsOf(names))]),
    ].join('\n');
  },
});

const metricColumns = <R extends { readonly metrics: Metrics }>(
  names: readonly string[],
): Column<R>[] =>
  names.map((name) => [
    name.replaceAll(/[A-Z]/g, (letter) => ` ${letter}`).toUpperCase(),
    ({ metrics }) => metrics[name]?.toFixed(4) ?? '–',
    'right',
  ]);

const columnsOf = (names: readonly string[]): Column<CentreQuality>[] => [
  ['CENTRE', ({ name }) => name],
  ['ROWS', ({ trainingRows }) => String(trainingRows), 'right'],
  ['HELD OUT', ({ heldOutRows }) => String(heldOutRows), 'right'],
  ['MAJORITY CLASS', ({ majority }) => majority?.toFixed(4) ?? '–', 'right'],
  ...metricColumns<CentreQuality>(names),
];

function textOf({ rows, own, global }: Compared): string {
  const [name] = Object.keys(own).filter((each) => each !== 'validationLoss');
  const of = (metrics: Metrics): string => metrics[name!]?.toFixed(4) ?? '–';
  return `On ${rows} rows that sites have kept: ${name} ${of(own)} by a model of each site's own, ${of(global)} by the global one.`;
}

/** @throws SkeinError USAGE. */
function requireSites(of: {
  readonly count: number;
  readonly rule: RobustRule | undefined;
  readonly hostile: number;
  readonly isPersonal: boolean;
}): void {
  const { count, hostile, rule, isPersonal } = of;
  const fewest = rule === undefined ? 0 : fewestUpdates(rule);
  if (count < fewest) {
    throw usageError(`--robust ${rule?.name} needs ${fewest} sites, not ${count}.`);
  }
  if (isPersonal && count > MOST_PERSONAL) {
    throw usageError(`--personal is for at most ${MOST_PERSONAL} sites, not ${count}.`);
  }
  if (hostile > count) throw usageError(`--hostile ${hostile} is more than the ${count} sites.`);
}

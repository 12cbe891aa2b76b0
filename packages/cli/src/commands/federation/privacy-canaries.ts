/** `skein privacy canaries`: rows for the audit of a model, and the part of them to train on. */
import { SkeinError } from '@skein/api';
import { canaryRows, linesOf } from '@skein/federation/site';
import { drawCanaries, secureRandom } from '@skein/train';
import { defineCommand } from '../../command-line/command.ts';
import { argument, integer, text, withDefault } from '../../command-line/option.ts';
import { writeGivenFile } from '../../file.ts';
import { INCLUDED, planOf } from '../../federation/model-audit.ts';

export interface Canaries {
  readonly canaries: number;
  /** To train on. */
  readonly included: number;
  readonly out: string;
  readonly train: string;
  /** The path as given. */
  readonly plan: string;
}

export const privacyCanaries = defineCommand({
  name: 'privacy canaries',
  summary: 'Write rows for the audit of a model; each is to be trained on with probability 1/2.',
  details:
    'The rows differ as much as the columns of the plan allow, and mean nothing: a training on them is a rehearsal. Train on the second file, also with other rows, or join a federation with it; then `skein privacy audit --model` guesses which rows of the first file were in the second.',
  examples: {
    'skein privacy canaries plan.json --canaries 500':
      'canaries.jsonl, and canaries.train.jsonl to train on',
  },
  arguments: { plan: argument('PLAN', 'A JSON file with the columns.', { completes: 'file' }) },
  options: {
    canaries: withDefault(integer('N', 'Canaries.', [100, 5000]), '200'),
    out: withDefault(
      text(
        'FILE',
        'File for all canaries, with the membership of each. Keep it from the trainer. ',
      ),
      'canaries.jsonl',
    ),
    train: withDefault(text('FILE', 'File for the canaries to train on.'), 'canaries.train.jsonl'),
  },
  async run({ cwd }, { plan, canaries, out, train }): Promise<Canaries> {
    const { data } = await planOf(cwd, plan);
    if ([...data.features, data.target].some(({ name }) => name === INCLUDED)) {
      throw new SkeinError('PLAN_INVALID', `The plan has a column "${INCLUDED}".`);
    }
    const random = secureRandom();
    const included = drawCanaries(canaries, random);
    const rows = canaryRows(data, canaries, random);
    const all = rows.map((row, i) => ({ ...row, [INCLUDED]: Number(included[i]!) }));
    const chosen = rows.filter((_, i) => included[i]!);
    for (const [path, lines] of [
      [out, all],
      [train, chosen],
    ] as const) {
      await writeGivenFile(cwd, path, linesOf(lines), 0o600);
    }
    return { canaries, included: chosen.length, out, train, plan };
  },
  render: ({ canaries, included, out, train, plan }, style) =>
    [
      `${style.green('✓')} ${canaries} canaries are in ${out}; the ${included} to train on are in ${train}.`,
      `After the training: ${style.cyan(style.commands(`skein privacy audit --model FILE --data ${out} --plan ${plan} --epsilon E --delta D`))}, with E and D of the plan`,
    ].join('\n'),
});

/** `skein redaction`: what is replaced in prompts and answers of language models. */
import { REDACTION_KINDS } from '@skein/api/implementations';
import { nodeCommand } from '../../connection/node-command.ts';
import { argument, choice, flag, many, text } from '../../command-line/option.ts';
import { renderTable } from '../../output/table.ts';
import { usageError } from '../../command-line/usage.ts';

const name = argument('NAME', 'The redaction.');

export const redactionPut = nodeCommand({
  name: 'redaction put',
  summary: 'Replace the matches of a pattern in prompts, in answers or in both.',
  details:
    'Prompts are redacted before the cache and a provider get them, answers before their caller does. A match that is split over parts of a stream is found too. A pattern is a regular expression without look-around, back-references, anchors and lazy repetitions, and is matched in linear time. Images, files and the schemas of tools are not searched.',
  examples: {
    'skein redaction put email --kind email':
      'Every address of e-mail becomes [email], in both directions',
    "skein redaction put patient --pattern '\\bP-[0-9]{6}\\b' --of prompts --tenant ward-3":
      'Numbers of patients, in what one tenant asks',
  },
  arguments: { name },
  options: {
    kind: choice(REDACTION_KINDS, 'Built-in pattern of the node.'),
    pattern: text('PATTERN', 'Pattern of your own, instead of --kind.'),
    ignoreCase: flag('Match small and capital letters alike.'),
    replacement: text('TEXT', 'Text in the place of each match; default [NAME].'),
    of: choice(['prompts', 'answers', 'both'], 'Texts to search; default both.'),
    model: many('NAME', 'Model whose texts are searched; default all.'),
    tenant: many('NAME', 'Tenant whose texts are searched; default all.'),
  },
  async run({ client }, { model, tenant, ...given }) {
    const { name: called, kind, pattern, of, replacement } = given;
    if ((kind === undefined) === (pattern === undefined)) {
      throw usageError('Give one of --kind and --pattern.');
    }
    await client.putRedaction({
      ...given,
      models: model.length === 0 ? undefined : [...model],
      tenants: tenant.length === 0 ? undefined : [...tenant],
    });
    return { name: called, of: of ?? 'both', replacement: replacement ?? `[${called}]` };
  },
  render({ name: called, of, replacement }, style) {
    const where = of === 'both' ? 'prompts and answers' : of;
    return `${style.green('✓')} ${style.bold(called)} is replaced by ${replacement} in ${where}.`;
  },
});

export const redactionLs = nodeCommand({
  name: 'redaction ls',
  summary: 'List the redactions of prompts and answers.',
  examples: {
    'skein redaction ls': 'Each with its pattern, and whose texts it is for',
  },
  async run({ client }) {
    const { settings, redactions } = await client.getLanguageModels();
    return settings.redactions.map((each) => ({
      ...each,
      replaced: redactions.find(({ name: called }) => called === each.name),
    }));
  },
  render(redactions, style) {
    if (redactions.length === 0) {
      return style.commands(
        'Nothing is redacted. Begin with: skein redaction put email --kind email',
      );
    }
    return renderTable(style, redactions, [
      ['REDACTION', ({ name: called }) => style.bold(called)],
      ['FINDS', ({ kind, pattern }) => kind ?? pattern ?? ''],
      ['IN', ({ of }) => of],
      ['BECOMES', ({ name: called, replacement }) => replacement ?? `[${called}]`],
      ['MODELS', ({ models }) => models?.join(',') ?? 'all'],
      ['TENANTS', ({ tenants }) => tenants?.join(',') ?? 'all'],
      ['REPLACED', ({ replaced }) => String((replaced?.prompts ?? 0) + (replaced?.answers ?? 0))],
    ]);
  },
});

export const redactionRm = nodeCommand({
  name: 'redaction rm',
  summary: 'Remove a redaction.',
  examples: { 'skein redaction rm email': 'Answers that are being sent keep it' },
  arguments: { name },
  async run({ client }, { name: called }) {
    await client.removeRedaction({ name: called });
    return { removed: called };
  },
  render: ({ removed }) => `${removed} is not redacted any more.`,
});

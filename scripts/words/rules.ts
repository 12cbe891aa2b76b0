/**
 * The words and sentence shapes that this project does not use.
 *
 * Each rule is one pattern over one line, with the places where it counts, the reason, and one example
 * with its replacement. The test runs every example: the first text is found, the second is not.
 */

/** The part of a line that a rule reads. `line`: all of it, identifiers and strings included. */
export type Place = 'line' | 'doc-start' | 'help';

export interface Rule {
  readonly pattern: RegExp;
  readonly in: Place;
  readonly reason: string;
  /** A line that breaks the rule, and the line to write in its place. */
  readonly example: readonly [wrong: string, right: string];
}

const PRONOUN = 'An actor has a name; a pronoun hides it.';
const MACHINE = 'A machine sends, receives, reads, holds and drops; it does not speak or think.';
const NOUN_CLAUSE = 'A noun is shorter than a clause that stands for it.';
const RELATION =
  '"of" with a pronoun makes the reader look back; repeat the noun or use a possessive.';

export const RULES: readonly Rule[] = [
  // Actors
  word(/nobody/i, PRONOUN, ['nobody waits', 'the queue is empty']),
  word(/somebody|someone/i, PRONOUN, ['someone who calls', 'the caller']),
  word(/whoever/i, PRONOUN, ['whoever calls', 'the caller']),
  word(/anybody|anyone/i, PRONOUN, ['anyone may read', 'any caller may read']),
  word(/everybody|everyone/i, PRONOUN, ['everyone gets a copy', 'every rank gets a copy']),
  // Metaphors
  word(/\b[Cc]argo\b/, 'Name what is carried.', ['the cargo', 'the request']),
  word(/\bHeard\b|\bWorkshop\b/, 'Terms of the field.', ['class Workshop', 'class WorkerContext']),
  word(/\brequireCompany\b|\binCompany\b/, 'Terms of the field.', [
    'inCompany()',
    'trainDistributed()',
  ]),
  word(/\bof late\b/i, 'An adjective is clearer.', ['the loss of late', 'the recent loss']),
  word(
    /\b[Rr]ooms?\b|\bROOM|[a-z]Rooms?\b|\broom[A-Z]/,
    'It meant five things: write memory, free space, capacity, component or session.',
    ['a member with room', 'a member with free memory'],
  ),
  // Machines that speak or think
  word(/\btell(s|ing)?\b|\btold\b/i, MACHINE, [
    'the node tells the worker',
    'the node notifies the worker',
  ]),
  word(/\bhears?\b|\bheard\b/i, MACHINE, ['the peer hears of it', 'the peer receives it']),
  word(/\bsay(s|ing)?\b|\bsaid\b/i, MACHINE, ['the error says why', 'the error gives the reason']),
  word(/\bforg[eo]t(s|ten|ting)?\b/i, MACHINE, ['a forgotten job', 'a removed job']),
  word(/\bknows\b|\bknew\b/i, MACHINE, ['the store knows the job', 'the store holds the job']),
  word(/\blooks\b|\blooked\b(?!-)(?! up)/i, MACHINE, [
    'it looks at the clock',
    'it reads the clock',
  ]),
  // Relations
  word(/\bnone of which\b/i, RELATION, [
    'two files, none of which is read',
    'two files; neither is read',
  ]),
  word(/\bof which\b/i, RELATION, ['keys, of which one is used', 'keys; one is used']),
  word(/\b(that|those) of\b/i, RELATION, [
    'the time is that of the store',
    "the time is the store's",
  ]),
  word(/\b(is|are) of (?!(type|length|size|order|interest|use)\b)/i, RELATION, [
    'the key is of the site',
    "it is the site's key",
  ]),
  word(/\bfrom what\b/i, NOUN_CLAUSE, ['from what was read', 'from the bytes read']),
  word(/\bby itself\b/i, 'Name the actor or write "automatically", "alone".', [
    'it rolls back by itself',
    'it rolls back automatically',
  ]),
  word(/\bbesides?\b/i, 'Write "next to", "with", "and", or name the place.', [
    'a file beside the model',
    'a file next to the model',
  ]),
  word(/\bgo(es)? on\b/i, 'A process continues, resumes or repeats.', [
    'the run goes on',
    'the run continues',
  ]),
  // Openings
  {
    pattern: /^(Of|What|Those|That|Such|Also|As)\b/,
    in: 'doc-start',
    reason: NOUN_CLAUSE,
    example: ['/** What a site sends. */', "/** The site's message. */"],
  },
  {
    pattern:
      /^(Of|What|Those|That|Such|Also|As|How|Where|Which|Whether|Why|Its|In|With|From|By|After|Whose|Whom|Only)\b/,
    in: 'help',
    reason: 'An option is a thing or an act: its help begins with a noun or a verb.',
    example: [
      '| `--seed N` | Of weights and row order. |',
      '| `--seed N` | Seed for weights and row order. |',
    ],
  },
];

/** The longest sentence in a document, in words. */
export const LONGEST_SENTENCE = 25;

/** The most parentheses in one sentence of a document. */
export const MOST_PARENTHESES = 1;

function word(pattern: RegExp, reason: string, example: Rule['example']): Rule {
  return { pattern, in: 'line', reason, example };
}

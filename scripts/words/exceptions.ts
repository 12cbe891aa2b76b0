/**
 * Texts in which the rules of `rules.ts` do not count, each with its reason.
 *
 * `files` are left out whole. `phrases` are removed from a line before the rules read it.
 */

export interface Exception<T> {
  readonly match: T;
  readonly reason: string;
}

export const FILES_LEFT_OUT: readonly Exception<string>[] = [
  {
    match: '**/{node_modules,dist,coverage,.skein,.fuzz,fixtures}',
    reason: 'Installed or recorded.',
  },
  { match: '**/*.gen.ts', reason: 'Generated.' },
  { match: 'apps/judge/problems', reason: 'Problem statements are prose about people.' },
  { match: 'scripts/words', reason: 'The rules and their examples.' },
  { match: 'CONTRIBUTING.md', reason: 'Explains the rules by examples.' },
  { match: 'CHANGELOG.md', reason: 'A record of the past; new entries are read in review.' },
];

export const PHRASES_LEFT_OUT: readonly Exception<RegExp>[] = [
  { match: /[`'"]nobody[`'"]|\bnobody:nogroup\b/g, reason: 'The Unix user.' },
  { match: /"Say hello\."/g, reason: 'A prompt of an example.' },
  { match: /sleeps beside the/g, reason: 'A text that a model is trained on.' },
];

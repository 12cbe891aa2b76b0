/** Replacements of redactions, for `/metrics`. */
import type { LanguageView } from '@skein/api';
import { type Exposition, labelled } from '@skein/http';

export function exposeRedactions(all: LanguageView['redactions'], into: Exposition): void {
  if (all.length === 0) return;
  const help = 'Matches that redactions have replaced, in prompts and in answers.';
  into.family('skein_language_redacted_total', 'counter', help);
  for (const { name, prompts, answers } of all) {
    into.sample(labelled({ redaction: name, in: 'prompts' }), prompts);
    into.sample(labelled({ redaction: name, in: 'answers' }), answers);
  }
}

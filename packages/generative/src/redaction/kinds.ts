/** Patterns under names, for what most operators look for. Numbers are found by their shape alone. */
import type { RedactionKind } from '@skein/api/implementations';

export const KINDS: Readonly<Record<RedactionKind, string>> = {
  email: String.raw`[\w.%+-]+@[\w-]+(\.[\w-]+)+`,
  /** 13 to 19 digits, in groups or not (ISO/IEC 7812). */
  card: String.raw`\b\d([ -]?\d){12,18}\b`,
  /** ISO 13616: country, check digits, and 11 to 30 characters, in groups or not. */
  iban: String.raw`\b[A-Z]{2}\d{2}( ?[A-Z0-9]){11,30}\b`,
  ipv4: String.raw`\b\d{1,3}(\.\d{1,3}){3}\b`,
  /** As OpenAI, GitHub, Google, AWS and Slack write theirs. */
  key: String.raw`\b(sk-[\w-]{16,}|gh[pousr]_\w{36,}|AIza[\w-]{35}|AKIA[A-Z0-9]{16}|xox[abprs]-[\w-]{10,})`,
};

/**
 * Prometheus' text format, version 0.0.4: families of labelled samples, in the order of writing.
 */
export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export type Labels = Readonly<Record<string, string>>;

export interface Exposition {
  /** Starts a family; the samples that follow belong to it. Each name may be used once. */
  family(name: string, type: 'counter' | 'gauge' | 'histogram', help: string): void;
  /** @param suffix `_bucket`, `_sum` or `_count` of a histogram. */
  sample(labels: string, value: number, suffix?: string): void;
  text(): string;
}

export function createExposition(): Exposition {
  let text = '';
  let current = '';
  return {
    family(name, type, help) {
      current = name;
      text += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
    },
    sample(labels, value, suffix = '') {
      text += `${current}${suffix}${labels === '' ? '' : `{${labels}}`} ${format(value)}\n`;
    },
    text: () => text,
  };
}

/** Formats the labels between the braces, once per series and not once per scrape. */
export function labelled(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeLabel(value)}"`)
    .join(',');
}

function escapeLabel(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}

function escapeHelp(help: string): string {
  return help.replace(/[\\\n]/g, (character) => (character === '\n' ? '\\n' : '\\\\'));
}

function format(value: number): string {
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  return String(value);
}

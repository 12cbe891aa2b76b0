/** HTML templates that escape every value unless it is a template itself. */
import { escapeMarkup } from '@skein/api/safe-text';

export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Content = string | number | Html | readonly Content[];

export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Html {
  return new Html(parts.reduce((text, part, index) => text + render(contents[index - 1]) + part));
}

/** Escapes text, then marks up text between backticks as code. */
export function prose(text: string): Html {
  return new Html(escapeMarkup(text).replace(/`([^`]+)`/g, '<code>$1</code>'));
}

function render(content: Content | undefined): string {
  if (content === undefined) return '';
  if (content instanceof Html) return content.text;
  if (typeof content === 'object') return content.map(render).join('');
  return escapeMarkup(String(content));
}

/**
 * Markdown of a statement as HTML that carries no script.
 *
 * HTML inside the Markdown is shown as text; links may lead to http, https and mailto; images come
 * only from the package, through the address that the caller gives; formulas become MathML.
 */
import { footnote } from '@mdit/plugin-footnote';
import { tex } from '@mdit/plugin-tex';
import MarkdownIt from 'markdown-it';
import temml from 'temml';
import { substitute } from '../package/format/constants.ts';
import { invalid } from '../package/invalid.ts';
import { MAX_MARKDOWN } from '../package/problem.ts';

const { escapeHtml } = new MarkdownIt().utils;
/** Samples are shown below the statement; these markers place them elsewhere. */
const SAMPLE_MARKS = /^\s*\{\{(?:nextsample|remainingsamples)\}\}\s*$/gm;

/** An inline formula, with brackets and commas that must not be separated from it. */
const FORMULA = /[([]?<math(?![^>]* display="block")[^]*?<\/math>[\])]?[.,;:!?]?/g;

/** @throws SkeinError PROBLEM_INVALID when it is too long. */
export function showMarkdown(
  file: string,
  text: string,
  constants: ReadonlyMap<string, string>,
  imageSource: (name: string) => string | undefined,
): string {
  const markdown = substitute(text.replaceAll(SAMPLE_MARKS, ''), constants);
  if (markdown.length > MAX_MARKDOWN) {
    throw invalid(file, `it has ${markdown.length} characters; Markdown may have ${MAX_MARKDOWN}`);
  }
  return renderMarkdown(markdown, imageSource);
}

/** @param imageSource address of an image of the text; undefined: it is not shown. */
export function renderMarkdown(
  markdown: string,
  imageSource: (name: string) => string | undefined,
): string {
  const parser = new MarkdownIt({ html: false, linkify: false, typographer: true });
  parser.use(footnote);
  parser.use(tex, { render: renderFormula });
  const defaultImage = parser.renderer.rules.image;
  parser.renderer.rules.image = (tokens, index, options, env, self) => {
    const token = tokens[index];
    const source = token === undefined ? undefined : imageSource(token.attrGet('src') ?? '');
    if (token === undefined || source === undefined || defaultImage === undefined) return '';
    token.attrSet('src', source);
    return defaultImage(tokens, index, options, env, self);
  };
  return parser.render(markdown).replaceAll(FORMULA, '<span class="unbroken">$&</span>');
}

function renderFormula(formula: string, displayMode: boolean): string {
  try {
    return temml.renderToString(formula, { displayMode, throwOnError: false, trust: false });
  } catch {
    // It fails on some formulas, and on nesting beyond its stack, in spite of `throwOnError`.
    return `<code>${escapeHtml(formula)}</code>`;
  }
}

/**
 * Makes the calls of the API reference live: the command of each operation gets a form that sends the call, and
 * the page gets the address of the node. The Markdown in the repository has neither.
 */
import { createOpenApiDocument } from '@skein/api';
import type { MarkdownOptions } from 'vitepress';
import { operationsOf } from './operation.ts';

type Markdown = Parameters<NonNullable<MarkdownOptions['config']>>[0];
type Tokens = ReturnType<Markdown['parse']>;

export const REFERENCE = 'docs/reference/api.md';

/** @param version of Skein. */
export function callsOnReference(markdown: Markdown, version: string): void {
  const operations = operationsOf(createOpenApiDocument(version));
  const { core, renderer, utils } = markdown;
  const command = renderer.rules.fence!;
  renderer.rules.fence = (tokens, index, options, env, self) => {
    const rendered = command(tokens, index, options, env, self);
    const operation = operations.get(operationBefore(tokens, index) ?? '');
    if (!isReference(env) || operation === undefined) return rendered;
    const value = utils.escapeHtml(JSON.stringify(operation));
    return `<TryCall :operation="${value}">${rendered}</TryCall>\n`;
  };
  core.ruler.push('address-of-node', ({ tokens, env, Token }) => {
    if (!isReference(env)) return;
    const address = new Token('html_block', '', 0);
    address.content = '<NodeAddress />\n';
    const second = tokens.findIndex(({ type, tag }) => type === 'heading_open' && tag === 'h2');
    tokens.splice(second, 0, address);
  });
}

function isReference(env: unknown): boolean {
  const { realPath, path } = env as { readonly realPath?: string; readonly path: string };
  return (realPath ?? path).endsWith(REFERENCE);
}

/** The id in the list above the command of an operation. */
function operationBefore(tokens: Tokens, index: number): string | undefined {
  for (let at = index - 1; at >= 0 && tokens[at]!.type !== 'heading_close'; at--) {
    const [, id] = /^Operation: `(\w+)`/.exec(tokens[at]!.content) ?? [];
    if (id !== undefined) return id;
  }
  return undefined;
}

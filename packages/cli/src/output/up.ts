/**
 * Output of `skein up` when the node is ready. With the examples it takes 20 rows of 80 columns, so
 * that a terminal of 24 holds it below the four that `npm start` writes first.
 */
import type { ExampleRun } from '../examples/example-run.ts';
import { formatDuration } from '@skein/api/units';
import type { Style } from './style.ts';
import { renderFields } from './table.ts';

export interface LanguageExample {
  /** Works in any folder. */
  readonly curl: string;
  /** The whole text that it streams. */
  readonly answer: string;
  /** From the request to the first text. */
  readonly firstTokenMs: number;
}

export interface UpResult {
  readonly url: string;
  /** `host:port`. */
  readonly grpcUrl: string;
  readonly access: 'open' | 'keys';
  readonly dataFolder: string;
  readonly pid: number;
  /** From the start of the process. */
  readonly readyMs: number;
  readonly deployments: readonly { readonly name: string; readonly status: string }[];
  readonly example?: ExampleRun | undefined;
  /** The command to try next. */
  readonly next: string;
}

/** Lines of an example's answer; the rest is counted. */
const SHOWN_LINES = 2;
/** Characters of a streamed answer. */
const SHOWN_CHARACTERS = 70;

export function renderUp(result: UpResult, style: Style): string {
  const { url, grpcUrl, example, deployments } = result;
  const access = result.access === 'open' ? 'open to this machine' : 'API keys required';
  const heading = `${style.green('●')} ${style.bold('Skein is ready')} ${style.dim(`in ${formatDuration(result.readyMs)}, ${access}; Ctrl-C drains and stops`)}`;
  const parts = [
    `${heading}\n${indent(
      renderFields(style, [
        ['API', `${style.cyan(url)}, gRPC at ${style.cyan(grpcUrl)}`],
        ['OpenAI', style.cyan(`${url}/v1`)],
        ['Console', `${style.cyan(`${url}/`)}, and there /docs and /metrics`],
        ['Data', result.dataFolder],
        ['Serves', deployments.map(deploymentText).join(', ') || undefined],
      ]),
    )}`,
  ];
  const request = example?.request;
  if (request !== undefined) {
    const more = request.answer.length - SHOWN_LINES;
    parts.push(
      [
        `Try it ${style.dim(`(answers in ${formatDuration(request.tookMs)})`)}:`,
        `  ${style.cyan(request.curl)}`,
        ...request.answer.slice(0, SHOWN_LINES).map((line) => `    ${style.dim('│')} ${line}`),
        ...(more > 0 ? [`    ${style.dim(`│ … and ${more} more lines`)}`] : []),
      ].join('\n'),
    );
  }
  parts.push(`Next: ${style.cyan(style.commands(result.next))}`);
  return `${parts.join('\n\n')}\n`;
}

/** Below it, a moment later. */
export function renderLanguageExample(
  { curl, answer, firstTokenMs }: LanguageExample,
  style: Style,
): string {
  const isLong = answer.length > SHOWN_CHARACTERS;
  const shown = isLong ? answer.slice(0, answer.lastIndexOf(' ', SHOWN_CHARACTERS) + 1) : answer;
  return [
    `Or ask a tiny, untrained language model ${style.dim(`(first token in ${formatDuration(firstTokenMs)})`)}:`,
    `  ${style.cyan(curl)}`,
    `    ${style.dim('│')} ${shown}${isLong ? '…' : ''}`,
  ].join('\n');
}

function deploymentText({ name, status }: UpResult['deployments'][number]): string {
  return status === 'ready' ? name : `${name} (${status})`;
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}

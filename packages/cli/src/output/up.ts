/**
 * What `skein up` shows when the node is ready. With the example it takes 20 rows of 80 columns, so
 * that a terminal of 24 holds it below the four that `npm start` writes first.
 */
import { formatDuration } from '@skein/api/units';
import type { UpResult } from '../commands/up.ts';
import type { Style } from './style.ts';
import { renderFields } from './table.ts';

/** Lines of an example's answer; the rest is counted. */
const SHOWN_LINES = 3;

export function renderUp(result: UpResult, style: Style): string {
  const { url, grpcUrl, example, deployments } = result;
  const access = result.access === 'open' ? 'open to this machine' : 'API keys required';
  const parts = [
    `${style.green('●')} ${style.bold('Skein is ready')} ${style.dim(`in ${formatDuration(result.readyMs)}, ${access}`)}`,
    indent(
      renderFields(
        [
          ['API', `${style.cyan(url)}, gRPC at ${style.cyan(grpcUrl)}`],
          ['Console', style.cyan(`${url}/`)],
          ['Docs', style.cyan(`${url}/docs`)],
          ['Metrics', style.cyan(`${url}/metrics`)],
          ['Data', result.dataFolder],
          ...(deployments.length === 0
            ? []
            : ([['Serves', deployments.map(deploymentText).join(', ')]] as const)),
        ],
        style,
      ),
    ),
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
  parts.push(`Next: ${style.cyan(result.next)}\n${style.dim('Ctrl-C drains and stops.')}`);
  return `${parts.join('\n\n')}\n`;
}

function deploymentText({ name, status }: UpResult['deployments'][number]): string {
  return status === 'ready' ? name : `${name} (${status})`;
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}

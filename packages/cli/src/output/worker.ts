/**
 * The output of `skein worker`: what this machine offers, and what each sandbox enforces or lacks.
 */
import type { SandboxOffer } from '@skein/jobs';
import { formatBytes } from '@skein/api/units';
import type { WorkerResult } from '../commands/worker.ts';
import type { Style } from './style.ts';
import { renderFields } from './table.ts';

export function renderWorker(result: WorkerResult, style: Style): string {
  const { worker, queues, labels, cores, memoryBytes, trusts, sandboxes } = result;
  const fields = renderFields(
    [
      ['Queues', queues.join(', ')],
      ['Capacity', `${cores} cores, ${formatBytes(memoryBytes)}`],
      ['Labels', labels.length === 0 ? 'none' : labels.join(', ')],
      ['Trusted work', trusts ? 'yes: tasks, and commands without isolation' : 'no'],
    ],
    style,
  );
  const parts = [
    `${style.green('●')} ${style.bold(`Worker ${worker}`)} ${style.dim('is open')}`,
    fields.replaceAll(/^/gm, '  '),
    ['Sandboxes:', ...sandboxes.map((offer) => sandboxText(offer, style))].join('\n'),
    style.dim('Ctrl-C drains and stops.'),
  ];
  return `${parts.join('\n\n')}\n`;
}

function sandboxText({ name, availability }: SandboxOffer, style: Style): string {
  if (!availability.available) {
    return `  ${style.red('✗')} ${name}: ${sentence(availability.reason)} ${style.dim(availability.fix)}`;
  }
  const { limits, untrusted, network, accounting } = availability.enforcement;
  const held = Object.entries(limits).filter(([, { enforced }]) => enforced);
  const lines = [
    `  ${style.green('✓')} ${name} ${style.dim(availability.version)}: ${untrusted ? 'untrusted work' : 'trusted work only'}`,
    `      holds ${held.map(([limit]) => limit).join(', ')}${network.none ? ', no network' : ''}; accounting: ${accounting}`,
  ];
  for (const [limit, { enforced, by, fix }] of Object.entries(limits)) {
    if (!enforced)
      lines.push(
        style.dim(`      not ${limit}: ${sentence(by)}${fix === undefined ? '' : ` ${fix}`}`),
      );
  }
  return lines.join('\n');
}

function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`;
}

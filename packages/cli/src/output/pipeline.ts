/** A run of a pipeline as text. */
import { countsText, type PipelineRun } from '../jobs/pipeline.ts';
import { stateText, tookText } from './job.ts';
import type { Style } from './style.ts';
import { renderTable } from './table.ts';

export function renderPipelineRun({ run, steps }: PipelineRun, style: Style): string {
  const head = `${style.bold(run.name)} ${stateText(run.state, style)} ${style.dim(`${tookText(run, Date.now())}, run ${run.id}`)}`;
  const table = renderTable(
    [{ title: 'STEP' }, { title: 'JOBS' }, { title: 'NOTE' }],
    steps.map(({ name, counts, failure }) => [
      name,
      countsText(counts),
      failure === undefined ? '' : `${failure.message} (skein jobs logs ${failure.job})`,
    ]),
    style,
  );
  const value = run.result?.value;
  return [
    head,
    ...(steps.length === 0 ? [] : [table]),
    ...(run.state === 'succeeded' ? [`${style.dim('returned')} ${JSON.stringify(value)}`] : []),
    ...(run.state === 'failed' || run.state === 'dead'
      ? [run.message ?? '', style.dim(`Fix the cause, then: skein pipeline resume ${run.id}`)]
      : []),
  ].join('\n');
}

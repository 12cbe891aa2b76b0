/** Jobs as text. */
import type { JobState, JobView } from '@skein/api';
import { LAST_WORDS } from '@skein/api/job-states';
import { formatAge, formatBytes, formatDuration } from '@skein/api/units';
import { type Field, renderFields } from './table.ts';
import { cutTo, type Style } from './style.ts';
import { nameText } from './terminal.ts';

export function stateText(state: JobState, style: Style): string {
  if (state === 'succeeded') return style.green(state);
  if (state === 'running') return style.cyan(state);
  if (state === 'failed' || state === 'dead') return style.red(state);
  return state === 'cancelled' ? style.yellow(state) : state;
}

/** `1.25 s`: how long the last attempt took, or has taken so far. */
export function tookText(job: JobView, now: number): string {
  const last = job.attempts.at(-1);
  if (last === undefined) return '–';
  const end = last.endedAt === undefined ? now : Date.parse(last.endedAt);
  return formatDuration(Math.max(0, end - Date.parse(last.startedAt)));
}

/** Use as the kernel counted it: `0.42 s cpu, 61.0 MiB`. */
export function usageText(usage: Readonly<Record<string, number>> | undefined): string {
  if (usage === undefined) return '–';
  const parts: string[] = [];
  if (usage['cpuMs'] !== undefined) parts.push(`${formatDuration(usage['cpuMs'])} cpu`);
  if (usage['wallMs'] !== undefined) parts.push(`${formatDuration(usage['wallMs'])} wall`);
  if (usage['peakMemoryBytes'] !== undefined) {
    parts.push(`${formatBytes(usage['peakMemoryBytes'])} memory`);
  }
  return parts.length === 0 ? '–' : parts.join(', ');
}

/** `2 attempts in 6 min 8 s` */
function allAttemptsText({ attempts }: JobView): string {
  const [first, last] = [attempts[0]!, attempts.at(-1)!];
  const ended = last.endedAt === undefined ? Date.now() : Date.parse(last.endedAt);
  return `${attempts.length} attempts in ${formatDuration(Math.max(0, ended - Date.parse(first.startedAt)))}`;
}

/** One line for the end of a job whose output was printed, its last words too. */
export function endText(job: JobView, style: Style): string {
  const { attempts } = job;
  const last = usageText(attempts.at(-1)?.usage);
  // The last attempt alone has a use: after a lost worker its time is a part.
  const usage = attempts.length > 1 ? `${allAttemptsText(job)}, the last one ${last}` : last;
  const mark = job.state === 'succeeded' ? style.green('✓') : style.red('✗');
  const cached = job.cachedFrom === undefined ? '' : ` (kept result of ${job.cachedFrom})`;
  const [message] = job.message?.split(LAST_WORDS) ?? [];
  const why = message === undefined ? '' : `: ${message}`;
  const cause = job.cause === undefined ? '' : ` (${job.cause})`;
  return `${mark} ${style.bold(nameText(job.name))} ${job.state}${cached}${cause}${why}${usage === '–' ? '' : style.dim(`  ${usage}`)}`;
}

/** A step of a pipeline may come after a thousand jobs. */
const MOST_PARENTS = 20;
/** Characters: a result may have a megabyte, which `--json` shows. */
const LONGEST_VALUE = 1000;

function parentsText(parents: readonly string[]): string | undefined {
  if (parents.length === 0) return undefined;
  const more = parents.length - MOST_PARENTS;
  const shown = parents.slice(0, MOST_PARENTS).join(', ');
  return more > 0 ? `${shown} and ${more} more` : shown;
}

export function renderJob(job: JobView, style: Style): string {
  const now = Date.now();
  const isWaiting = job.attempts.length === 0;
  const fields: Field[] = [
    ['id', job.id],
    ['state', stateText(job.state, style)],
    ['queue', `${job.queue}, tenant ${job.tenant}, priority ${job.priority}`],
    ['work', workText(job)],
    ['asks for', resourcesText(job.resources)],
    ['enqueued', formatAge(job.enqueuedAt, now)],
    ['cause', job.cause],
    ['message', job.message],
    ['requires', job.requires.join(', ') || undefined],
    ['after', parentsText(job.parents)],
    ['not before', isWaiting ? job.notBefore : undefined],
    ['result of', job.cachedFrom],
  ];
  for (const attempt of job.attempts) {
    const outcome = attempt.outcome ?? 'running';
    const message = attempt.message === undefined ? '' : `: ${attempt.message}`;
    fields.push([
      `attempt ${attempt.number}`,
      `${outcome}${message} on ${attempt.worker}, ${usageText(attempt.usage)}`,
    ]);
  }
  for (const output of job.result?.outputs ?? []) {
    fields.push([
      'output',
      `${nameText(output.path)} (${formatBytes(output.sizeBytes)}) ${style.dim(output.digest)}`,
    ]);
  }
  const value = job.result?.value;
  if (value !== undefined) fields.push(['returned', cutTo(JSON.stringify(value), LONGEST_VALUE)]);
  return `${style.bold(nameText(job.name))}\n${renderFields(style, fields)}`;
}

/** `1 core, 512 MiB` */
export function resourcesText({ cores, memoryBytes }: JobView['resources']): string {
  return `${cores} ${cores === 1 ? 'core' : 'cores'}, ${formatBytes(memoryBytes)}`;
}

function workText({ work }: JobView): string {
  if (work.kind === 'task') return `task ${work.task}`;
  const sandbox = work.sandbox === undefined ? '' : ` in ${work.sandbox}`;
  return `${work.argv.map(quoted).join(' ')}${work.trusted ? ' (trusted)' : ''}${sandbox}`;
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word);
}

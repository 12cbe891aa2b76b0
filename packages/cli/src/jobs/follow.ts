/** Follows a job to its end: prints its log, its progress, and every new attempt. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobView } from '@skein/api';
import { hasEnded } from '@skein/api/job-states';
import type { Client } from '@skein/api/client';
import { formatShare } from '@skein/api/units';
import type { Context } from '../command-line/command.ts';
import { flag } from '../command-line/option.ts';
import { bar } from '../output/notes.ts';
import type { TextKind } from '../output/terminal.ts';

export const rawOption = flag('Print the output of the job unchanged, escape sequences too.');

const LOG_PIECE_BYTES = 256 * 1024;

/**
 * Prints the log from its start; resolves with the ended job.
 * @param output `raw`: writes control sequences to the terminal unchanged.
 *
 * Events only announce that there is more to read. The log is read by offset, so that no part is
 * printed twice or lost when the connection breaks.
 */
export async function followJob(
  context: Context,
  client: Client,
  id: string,
  output: TextKind = 'own',
): Promise<JobView> {
  const leave = new AbortController();
  const signal = AbortSignal.any([context.signal, leave.signal]);
  const log = createLogReader(context, client, id, output);
  try {
    // Opened first, so that no event is missed between reading and streaming.
    const events = client.jobEvents({ job: id }, { signal });
    const next = events.next();
    let job = await client.getJob({ id }, { signal });
    await log.catchUp(job);
    let pending: Promise<IteratorResult<unknown, unknown>> = next;
    while (!hasEnded(job.state)) {
      const { done } = await Promise.race([pending, tick(signal)]);
      if (done === true) break;
      if (done === false) pending = events.next();
      job = await client.getJob({ id }, { signal });
      await log.catchUp(job);
      drawProgress(context, job);
    }
    pending.catch(() => undefined);
    context.notes.clear();
    return job;
  } finally {
    leave.abort();
  }
}

/** An event stream that has died silently costs a second, not the end of the job. */
function tick(signal: AbortSignal): Promise<{ readonly done?: undefined }> {
  return sleep(1000, {}, { signal }).catch(() => ({}));
}

function drawProgress({ notes }: Context, job: JobView): void {
  if (job.state === 'running' && job.progress !== undefined) {
    const { fraction, message } = job.progress;
    notes.progress(`${bar(fraction, 20)} ${formatShare(fraction)} ${message}`);
  } else if (job.state !== 'running') {
    notes.progress(
      `${job.name}: ${job.state}${job.message === undefined ? '' : `, ${job.message}`}`,
    );
  }
}

function createLogReader(context: Context, client: Client, id: string, output: TextKind) {
  let attempt = 1;
  let offset = 0;
  return {
    /** Prints all available output. */
    async catchUp(job: JobView): Promise<void> {
      const last = job.attempts.at(-1)?.number ?? 0;
      while (attempt <= last) {
        const piece = await client.readJobLog({ id, attempt, offset, maxBytes: LOG_PIECE_BYTES });
        if (piece.text !== '') context.print(piece.text, output);
        const grew = piece.next > offset;
        offset = piece.next;
        if (grew) continue;
        if (attempt === last) return;
        attempt += 1;
        offset = 0;
        context.notes.line(context.notes.style.dim(`— attempt ${attempt} —`));
      }
    },
  };
}

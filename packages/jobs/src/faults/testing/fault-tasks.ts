/** Tasks that leave a trace of the attempt that ran them, wherever an attempt can write. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { defineTask } from '../../tasks/define-task.ts';

/** Signs its log, checkpoint, artifact and result with its attempt. */
export const signs = defineTask({
  name: 'signs',
  input: z.object({ ms: z.number() }),
  output: z.object({ attempt: z.number() }),
  async run({ ms }, context) {
    const sign = `attempt ${context.attempt}`;
    const until = performance.now() + ms;
    do {
      context.log(sign);
      context.progress(0.5, sign);
      await context.checkpoint.save(Buffer.from(sign));
      await sleep(10);
    } while (performance.now() < until);
    await context.artifacts.put(Buffer.from(`${context.job} ${sign}`), 'signed');
    return { attempt: context.attempt };
  },
});

/** Needs no other job or service while it works. */
export const naps = defineTask({
  name: 'naps',
  input: z.object({ ms: z.number() }),
  output: z.object({ attempt: z.number() }),
  async run({ ms }, context) {
    context.log(`attempt ${context.attempt}`);
    await sleep(ms);
    return { attempt: context.attempt };
  },
});

/** Ends the process of the supervisor: the worst that a task can do. */
export const poison = defineTask({
  name: 'poison',
  input: z.unknown(),
  output: z.unknown(),
  run: () => process.kill(process.pid, 'SIGKILL'),
});

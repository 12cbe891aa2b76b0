/**
 * A task that gives a descriptor away, as a sandbox in a task does with the pipes of its guests.
 */
import { once } from 'node:events';
import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { z } from 'zod';
import { defineTask } from '../define-task.ts';

/** Reports the number of the descriptor when it is closed, and ends when it is asked to stop. */
export const givesDescriptorAway = defineTask({
  name: 'gives-descriptor-away',
  input: z.object({ pipe: z.string() }),
  output: z.unknown(),
  async run({ pipe }, { progress, signal }) {
    const fd = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
    const socket = new Socket({ fd });
    const closed = once(socket, 'close');
    socket.destroy();
    await closed;
    progress(1, String(fd));
    await once(signal, 'abort');
  },
});

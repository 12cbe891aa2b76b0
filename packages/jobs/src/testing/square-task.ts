/** A task of a module of its own, as a program has one. */
import { z } from 'zod';
import { defineTask } from '../tasks/define-task.ts';

export const squares = defineTask({
  name: 'squares',
  input: z.object({ of: z.array(z.number()) }),
  output: z.array(z.number()),
  run: ({ of }) => of.map((number) => number * number),
});

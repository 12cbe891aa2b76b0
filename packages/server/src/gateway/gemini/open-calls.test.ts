import * as fc from 'fast-check';
import type { ToolCall } from '@skein/generative';
import { expect, it } from 'vitest';
import { OpenCalls } from './open-calls.ts';

const names = fc.constantFrom('a', 'b', 'c');
const ids = fc.constantFrom('1', '2', '3', '4');
const steps = fc.array(
  fc.oneof(
    fc.record({ name: names, id: ids }),
    fc.record({ answers: names, id: fc.option(ids, { nil: undefined }) }),
  ),
);

it('answers the first open call of the name or id, as a search of all open calls does', () => {
  fc.assert(
    fc.property(steps, (given) => {
      const calls = new OpenCalls();
      const open: ToolCall[] = [];
      for (const step of given) {
        if ('name' in step) {
          const call = { ...step, arguments: '{}' };
          calls.add(call);
          open.push(call);
          continue;
        }
        const { answers, id } = step;
        const at = open.findIndex((call) =>
          id === undefined ? call.name === answers : call.id === id,
        );
        const [expected] = at === -1 ? [] : open.splice(at, 1);
        expect(calls.answer(answers, id)).toBe(expected);
      }
    }),
  );
});

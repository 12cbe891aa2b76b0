import { expect, onTestFinished, test, vi } from 'vitest';
import { strictLogger } from '../testing/fake-inference.ts';
import { boundedAudit, ROWS_OF_A_MINUTE } from './bounded-audit.ts';

function open() {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const rows: string[] = [];
  const audit = boundedAudit(
    {
      addAudit: async ({ actor, action, subject, outcome }) =>
        void rows.push([actor, action, subject, outcome].join(' ')),
    },
    strictLogger,
  );
  const change = (actor: string, action: string, outcome = 'ok') =>
    audit.addAudit({ actor, action, subject: 's', outcome, remote: '10.0.0.7' });
  return { rows, audit, change };
}

test('a key has so many rows in a minute, and then one for each kind of change', async () => {
  const { rows, audit, change } = open();
  for (let n = 0; n < ROWS_OF_A_MINUTE + 500; n++) await change('busy', 'cancelJob', 'JOB_UNKNOWN');
  for (let n = 0; n < 3; n++) await change('busy', 'enqueueJobs');
  await change('quiet', 'enqueueJobs');
  expect(rows).toHaveLength(ROWS_OF_A_MINUTE + 1);
  expect(rows.at(-1)).toBe('quiet enqueueJobs s ok');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(rows.slice(ROWS_OF_A_MINUTE + 1)).toEqual([
    'busy cancelJob ×500 JOB_UNKNOWN',
    'busy enqueueJobs ×3 ok',
  ]);
  // The next minute begins with rows again.
  await change('busy', 'enqueueJobs');
  expect(rows.at(-1)).toBe('busy enqueueJobs s ok');
  await audit.close();
  expect(rows).toHaveLength(ROWS_OF_A_MINUTE + 4);
});

test('what is counted is written when the node ends', async () => {
  const { rows, audit, change } = open();
  for (let n = 0; n < ROWS_OF_A_MINUTE + 2; n++) await change('busy', 'enqueueJobs');
  await audit.close();
  expect(rows.at(-1)).toBe('busy enqueueJobs ×2 ok');
});

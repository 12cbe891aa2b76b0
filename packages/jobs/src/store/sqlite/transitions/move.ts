/** The only place that changes the state of a job: it counts the change and writes the event. */
import type { JobState } from '../../../contract.ts';
import { addEvent } from '../event-log.ts';
import type { JobRow } from '../job-row.ts';
import { tallyMove } from '../tally.ts';
import type { Transaction } from '../transaction.ts';

/** Changes the state in the row, not yet in the table: the caller saves it. */
export function move(
  transaction: Transaction,
  row: JobRow,
  to: JobState,
  from: JobState | undefined,
): void {
  row.state = to;
  tallyMove(transaction.tally, row, from, to);
  addEvent(transaction, row, 'state');
}

/** Every change of a job's state passes through here: it is counted, and told as an event. */
import type { JobState } from '../../contract.ts';
import { addEvent } from './event-log.ts';
import type { JobRow } from './job-row.ts';
import { tallyMove } from './tally.ts';
import type { Transaction } from './transaction.ts';

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

/**
 * The audit trail of keys below `admin`: of each, the first changes of a minute have a row of their own,
 * and the rest is counted together when the minute ends. The trail keeps a bounded number of rows, so a
 * key with the scope `jobs` could otherwise push out within a minute what it has done before, and what
 * operators did.
 */
import type { GatewayLogger } from '@skein/http';
import type { AuditEntry, State } from '@skein/state';

/** Rows of one key: so it takes days to push out the hundred thousand rows that are kept. */
export const ROWS_OF_A_MINUTE = 20;
const MINUTE_MS = 60_000;

type Entry = Omit<AuditEntry, 'id' | 'at'>;

interface Minute {
  rows: number;
  /** By action and outcome. */
  readonly rest: Map<string, { readonly entry: Entry; count: number }>;
}

export function boundedAudit(
  state: Pick<State, 'addAudit'>,
  logger: GatewayLogger,
): Pick<State, 'addAudit'> & { close(): Promise<void> } {
  let minutes = new Map<string, Minute>();
  let timer: NodeJS.Timeout | undefined;

  async function write(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const sums = [...minutes.values()].flatMap(({ rest }) => [...rest.values()]);
    minutes = new Map();
    for (const { entry, count } of sums) {
      await state.addAudit({ ...entry, subject: `×${count}` }).catch((error: unknown) => {
        logger.error({ err: error, audit: entry, count }, 'The audit trail could not be written.');
      });
    }
  }

  return {
    async addAudit(entry) {
      const { actor, action, outcome } = entry;
      let minute = minutes.get(actor);
      if (minute === undefined) minutes.set(actor, (minute = { rows: 0, rest: new Map() }));
      timer ??= setTimeout(() => void write(), MINUTE_MS).unref();
      if (minute.rows < ROWS_OF_A_MINUTE) {
        minute.rows += 1;
        return state.addAudit(entry);
      }
      const kind = `${action} ${outcome}`;
      const known = minute.rest.get(kind);
      if (known === undefined) minute.rest.set(kind, { entry, count: 1 });
      else known.count += 1;
    },
    /** Writes what is counted. */
    close: write,
  };
}

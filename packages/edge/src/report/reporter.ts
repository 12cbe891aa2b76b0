/**
 * Sends the signed reports of a device: when the node asks for the next one, and soon after its version has changed. A
 * report that was not answered is sent again as it is, with its sequence; the node counts it once.
 *
 * Reporting never delays or fails an answer: what goes wrong is kept as `fault`, and tried again.
 */
import type { DevicePermission, DeviceReport } from '@skein/api';
import { toHex } from '@skein/api/canonical';
import { createClient } from '@skein/api/client';
import { reportBytes } from '@skein/api/devices';
import { SkeinError } from '@skein/api/errors';
import type { Storage } from '../update/storage.ts';
import { openMembership } from './membership.ts';

/** First wait after a fault, in milliseconds, and the longest: a device must not add to the load of a node that fails. */
const RETRY_MS = 2000;
const LONGEST_RETRY_MS = 300_000;
/** How long a report that is too soon waits at once, in milliseconds; the gap of a small fleet is one second. */
const SOON_MS = 2000;
/**
 * Milliseconds for which a permission holds. Afterwards the device follows the publisher: a node that is
 * gone, or an attacker who keeps the device from it, must not hold back updates for ever.
 */
export const HOLDS_MS = 7 * 86_400_000;

/** Longest wait for a new permission before an update, in milliseconds. */
const LONGEST_REFRESH_MS = 5000;

export interface ReporterOptions {
  readonly storage: Storage;
  /** Absent: the device is enrolled already. */
  readonly invitation?: string | undefined;
  /** The state of the device now. `take` begins new counts. */
  readonly report: () => DeviceReport;
  readonly now?: (() => number) | undefined;
}

export interface Reporter {
  /** Absent until the node has enrolled the device. */
  readonly device: { readonly id: string; readonly name: string } | undefined;
  /** The last permission of the node; null: it holds nothing back. */
  readonly permission: DevicePermission | null;
  /** Why the last report was not accepted. */
  readonly fault: SkeinError | undefined;
  /** Sends a report now. @throws SkeinError of the node, or NODE_UNREACHABLE. */
  send(): Promise<void>;
  /** Asks for the permission again, before an update. Where the node does not answer soon, the last one holds. */
  refresh(): Promise<void>;
  /** The version has changed: a report is due soon. */
  changed(): void;
  close(): void;
}

export async function startReporter(options: ReporterOptions): Promise<Reporter> {
  const { storage, invitation, now = Date.now } = options;
  const membership = await openMembership(storage, invitation, now);
  const ending = new AbortController();
  const client = createClient({ url: membership.url, signal: ending.signal });
  let pending: { readonly sequence: number; readonly report: DeviceReport } | undefined;
  let fault: SkeinError | undefined;
  let faults = 0;
  let timer: NodeJS.Timeout | undefined;

  function schedule(waitMs: number): void {
    clearTimeout(timer);
    if (ending.signal.aborted) return;
    timer = setTimeout(() => void send().catch(() => undefined), waitMs);
    // A device in Node may end although it reports; a page has no such thing.
    (timer as { unref?: () => void }).unref?.();
  }

  async function report(): Promise<void> {
    try {
      const id = await membership.enrol(client);
      pending ??= { sequence: await membership.nextSequence(), report: options.report() };
      const { sequence, report: content } = pending;
      const signature = toHex(await membership.key.signBytes(reportBytes(id, sequence, content)));
      const answer = await whenAllowed(() =>
        client.reportDevice({ id, sequence, report: content, signature }),
      );
      pending = undefined;
      [fault, faults] = [undefined, 0];
      await membership.allowed(answer.permission);
      schedule(answer.everyMs);
    } catch (error) {
      fault =
        error instanceof SkeinError ? error : new SkeinError('INTERNAL', (error as Error).message);
      const backoffMs = Math.min(LONGEST_RETRY_MS, RETRY_MS * 2 ** faults);
      faults += 1;
      schedule(Math.max(fault.retryAfterMs ?? 0, backoffMs));
      throw fault;
    }
  }

  /** A report that comes a moment too soon waits for the moment. */
  async function whenAllowed<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      const waitMs = error instanceof SkeinError ? (error.retryAfterMs ?? Infinity) : Infinity;
      if ((error as SkeinError).code !== 'RATE_LIMITED' || waitMs > SOON_MS) throw error;
      await pause(waitMs);
      return call();
    }
  }
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      setTimeout(resolve, ms);
    });

  /** One report at a time. */
  let last: Promise<unknown> = Promise.resolve();
  function send(): Promise<void> {
    const done = last.then(report);
    last = done.catch(() => undefined);
    return done;
  }

  schedule(0);
  return {
    get device() {
      const { id, name } = membership;
      return id === undefined || name === undefined ? undefined : { id, name };
    },
    get permission() {
      return now() - membership.answeredAt > HOLDS_MS ? null : membership.permission;
    },
    get fault() {
      return fault;
    },
    send,
    async refresh() {
      await Promise.race([send().catch(() => undefined), pause(LONGEST_REFRESH_MS)]);
    },
    changed: () => schedule(RETRY_MS),
    close() {
      ending.abort();
      clearTimeout(timer);
    },
  };
}

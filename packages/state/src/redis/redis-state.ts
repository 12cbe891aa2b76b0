/**
 * The fleet's backend of `State`: a Redis with its append-only file on.
 *
 * Every write is one server-side function, which compares, writes and adds to the change feed; all
 * keys share one hash tag, so it works in a cluster; time is the server's. A write of deployments,
 * keys or removals is acknowledged when it is on the server's disk, where the server syncs at all.
 *
 * Contents have an epoch. A connection works only with the contents with which it was opened: in a
 * Redis that was emptied, it would take the absence of keys and deployments for their removal.
 */
import { randomUUID } from 'node:crypto';
import { SkeinError } from '@skein/api/errors';
import type { State } from '../contract.ts';
import { SCHEMA } from '../members/members.ts';
import { stateOver } from '../store.ts';
import { callsOver } from './calls.ts';
import { changeCalls, streamArrivals } from './changes.ts';
import { declarationCalls } from './declarations.ts';
import { deploymentCalls } from './deployments.ts';
import { STATE_FUNCTIONS } from './functions.ts';
import { journalCalls } from './journal.ts';
import { keyCalls } from './keys.ts';
import { budgetCalls } from './budgets.ts';
import { leaseCalls } from './leases.ts';
import { memberCalls } from './members.ts';
import { waitsForDisk } from './on-disk.ts';
import { responseCalls } from './responses.ts';
import { runCalls } from './runs.ts';
import { secretCalls } from './secrets.ts';
import { transferCalls } from './transfer.ts';
import { connect } from './server/connection.ts';
import { versionCalls } from './versions.ts';

/** How long a reader of the change feed waits before it reads anyway, in milliseconds. */
const LOOK_MS = 2000;

export interface RedisStateOptions {
  /** States of different namespaces share a Redis without seeing each other. */
  readonly namespace: string;
  /** For tests: ms since the epoch. */
  readonly clock?: (() => number) | undefined;
}

/** @throws SkeinError STORE_UNREACHABLE, STORE_TOO_OLD, STORAGE_FULL, STATE_TOO_NEW. */
export async function openRedisState(
  url: string,
  { namespace, clock }: RedisStateOptions,
): Promise<State> {
  const prefix = `skein:{${namespace}}:state:`;
  const connection = connect(url, prefix, STATE_FUNCTIONS);
  let known = '';
  const onDisk = waitsForDisk(connection, (redis) =>
    redis.call('FCALL', connection.nameOf('sync'), 1, prefix, '', '', 0, 0, ''),
  );
  const calls = callsOver(connection, clock, () => known, onDisk);
  const arrivals = streamArrivals(connection, `${prefix}changes`, LOOK_MS);

  async function close(): Promise<void> {
    arrivals.close();
    await connection.close();
  }
  const lookUp = async () =>
    (await calls.runOnAnyContents('position')) as [epoch: string, entry: string, schema: string];

  try {
    let [epoch, , schema] = await lookUp();
    if (epoch === '') {
      await calls.runOnAnyContents('create', randomUUID(), SCHEMA.reads[0]);
      [epoch, , schema] = await lookUp();
    }
    const [oldest, newest] = SCHEMA.reads;
    if (Number(schema) < oldest || Number(schema) > newest) {
      throw new SkeinError(
        'STATE_TOO_NEW',
        `The fleet writes schema ${schema}, and this Skein reads ${oldest} to ${newest}.`,
      );
    }
    known = epoch;
  } catch (error) {
    await close();
    throw error;
  }
  return stateOver(
    {
      ...versionCalls(calls),
      ...deploymentCalls(calls),
      ...journalCalls(calls),
      ...runCalls(calls),
      ...keyCalls(calls),
      ...declarationCalls(calls),
      ...transferCalls(calls),
      ...changeCalls(calls),
      ...memberCalls(calls),
      ...leaseCalls(calls),
      ...budgetCalls(calls),
      ...responseCalls(calls),
      ...secretCalls(calls),
      close,
    },
    arrivals,
  );
}

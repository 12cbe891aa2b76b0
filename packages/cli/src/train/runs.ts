/** The runs of the data folder and of a node, as one list; and reports to that node. */
import { summaryOf, type Run, type RunSummary, type VersionView } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { recordVersion } from '@skein/state/run-versions';
import { readRuns, removeRunFolder } from '@skein/state/runs';
import type { Context } from '../command-line/command.ts';
import {
  connect,
  dataFolder,
  explicitUrl,
  runningNode,
  type ConnectionChoice,
} from '../connection/connection.ts';

/** Most runs that a node lists at once. */
const PAGE = 1000;
/** Milliseconds that training waits for the node at most. */
const PATIENCE_MS = 2000;

/** Newest first. A local record is newer than its last report. */
export async function findRuns(context: Context, choice: ConnectionChoice): Promise<RunSummary[]> {
  const here = (await readRuns(dataFolder(context, choice.data))).map(summaryOf);
  const known = new Map((await runsOnNode(context, choice)).map((run) => [run.id, run]));
  for (const run of here) known.set(run.id, run);
  return [...known.values()].sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
}

async function runsOnNode(context: Context, choice: ConnectionChoice): Promise<RunSummary[]> {
  const client = await nodeClient(context, choice);
  if (client === undefined) return [];
  try {
    const runs: RunSummary[] = [];
    for (let after: string | undefined; ;) {
      const page = await client.listRuns({ limit: PAGE, after });
      runs.push(...page.runs);
      if (page.next === undefined) return runs;
      after = page.next;
    }
  } catch (error) {
    // Without --url, runs of this folder are shown also when the node does not answer.
    if (explicitUrl(context, choice) !== undefined || !(error instanceof SkeinError)) throw error;
    context.notes.line(`The node was not asked for its runs: ${error.message}`);
    return [];
  }
}

/** Client of the node that was named or runs on the data folder, if any. */
export async function nodeClient(context: Context, choice: ConnectionChoice) {
  const url =
    explicitUrl(context, choice) ?? (await runningNode(dataFolder(context, choice.data)))?.url;
  return url === undefined
    ? undefined
    : (await connect(context, { ...choice, server: url })).client;
}

/**
 * @param wanted an id, the beginning of one, a name (its newest run), or `last`.
 * @throws SkeinError RUN_UNKNOWN.
 */
export async function findRun(
  context: Context,
  choice: ConnectionChoice,
  wanted: string,
): Promise<Run> {
  const here = matching(await readRuns(dataFolder(context, choice.data)), wanted);
  if (here !== undefined) return here;
  const listed = matching(await runsOnNode(context, choice), wanted);
  const client = listed && (await nodeClient(context, choice));
  if (listed !== undefined && client !== undefined) {
    return client.getRun({ id: listed.id });
  }
  throw new SkeinError('RUN_UNKNOWN', `There is no run "${wanted}".`);
}

/**
 * Removes a run of the data folder, with its files, and the node's record of it.
 * @throws SkeinError RUN_UNKNOWN, RUN_ACTIVE.
 */
export async function removeRun(
  context: Context,
  choice: ConnectionChoice,
  id: string,
): Promise<void> {
  const folder = dataFolder(context, choice.data);
  let found = (await readRuns(folder)).some((run) => run.id === id);
  if (found) await removeRunFolder(folder, id);
  const client = await nodeClient(context, choice);
  try {
    await client?.removeRun({ id });
    found ||= client !== undefined;
  } catch (error) {
    if (!(error instanceof SkeinError) || error.code !== 'RUN_UNKNOWN') throw error;
  }
  if (!found) throw new SkeinError('RUN_UNKNOWN', `There is no run "${id}".`);
}

function matching<R extends { readonly id: string; readonly name: string }>(
  runs: readonly R[],
  wanted: string,
): R | undefined {
  if (wanted === 'last') return runs[0];
  return (
    runs.find(({ id }) => id === wanted) ??
    runs.find(({ name }) => name === wanted) ??
    runs.find(({ id }) => id.startsWith(wanted))
  );
}

/** Reports the run to the node, if there is one. */
export async function reportRun(
  context: Context,
  choice: ConnectionChoice,
  run: Run,
): Promise<void> {
  const client = await nodeClient(context, choice);
  // An interrupted run is reported too.
  await client?.putRun({ id: run.id, run }, { timeoutMs: PATIENCE_MS, signal: null });
}

/** Writes into the run's record, here and on the node, that it became a version. */
export async function recordDeployed(
  context: Context,
  choice: ConnectionChoice,
  run: Run,
  version: VersionView,
): Promise<Run> {
  const changed = await recordVersion(dataFolder(context, choice.data), run, version);
  await reportRun(context, choice, changed);
  return changed;
}

/** Reports records of a run that is trained; warns once that the node cannot be reached. */
export function runReporter(
  context: Context,
  choice: ConnectionChoice,
): (run: Run) => Promise<void> {
  let complained = false;
  return async (run) => {
    try {
      await reportRun(context, choice, run);
    } catch (error) {
      if (complained) return;
      complained = true;
      const reason = error instanceof Error ? error.message : String(error);
      context.notes.line(`The run was not reported to the node: ${reason}`);
    }
  };
}

/** The site of a browser, in a worker: training in WebAssembly does not block the page. */
import { ERRORS, SkeinError } from '@skein/api/errors';
import { FEDERATION_PATH } from '@skein/api/federations';
import { parseNpz, readParquet } from '@skein/train';
import { wasmBackend } from '@skein/train/wasm';
import type { Joined } from '../identity/handshake.ts';
import { type Invitation, invitationOf } from '../identity/invitation.ts';
import { helpersOf } from '../plan/helpers.ts';
import { isCounting } from '../plan/complete.ts';
import type { Plan } from '../plan/plan.ts';
import { describePlan } from '../site/describe-plan.ts';
import { lookAtPlan } from '../site/look.ts';
import { openIndexedMemory } from '../site/memory/indexed-memory.ts';
import type { SiteMemory } from '../site/memory/site-memory.ts';
import {
  openPersonalModel,
  type PersonalModel,
  personalSteps,
} from '../site/personal/personal-model.ts';
import { runSite, type SiteEvent } from '../site/run-site.ts';
import { labelledArrays, readSiteArrays } from '../site/site-arrays.ts';
import {
  outsideText,
  readSiteRows,
  readSiteTable,
  rowTermsOf,
  type SiteRows,
} from '../site/site-rows.ts';
import { openWork } from '../site/work/open-work.ts';
import { type Connection, connectionOver } from '../transport/connection.ts';
import type { FromWorker, ToWorker } from './worker-messages.ts';

let memory: Promise<SiteMemory> | undefined;
let invitation: Invitation | undefined;
let joined: Joined | undefined;
let rows: SiteRows | undefined;
const leaving = new AbortController();

const post = (message: FromWorker): void => postMessage(message);
/** One memory per federation: a browser may be a site of several. */
const memoryOf = ({ run, coordinator }: Invitation): Promise<SiteMemory> =>
  (memory ??= openIndexedMemory(`skein site ${coordinator} ${run}`));

function open(): Promise<Connection> {
  const address = new URL(FEDERATION_PATH, location.origin);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(address);
  return new Promise((resolve, reject) => {
    socket.addEventListener('open', () => resolve(connectionOver(socket)));
    socket.addEventListener('error', () =>
      reject(new SkeinError('NODE_UNREACHABLE', `No coordinator answers at ${address.origin}.`)),
    );
  });
}

async function look(text: string): Promise<void> {
  invitation = invitationOf(text);
  const kept = await memoryOf(invitation);
  joined = await lookAtPlan({ invitation, memory: kept, open });
  const { plan, planDigest } = joined;
  const accepted = (await kept.acceptedOf(invitation.run)) === planDigest;
  const mayLeave = helpersOf(plan).length > 0;
  post({ type: 'plan', words: describePlan(plan), rounds: plan.rounds, mayLeave, accepted });
}

async function readFile(file: File): Promise<void> {
  rows = await rowsOf(joined!.plan, file);
  const { count, classes, unused } = rows;
  const outside = [...rows.outside.map(outsideText), ...rows.rounded];
  const { plan } = joined!;
  const pull = isCounting(plan)
    ? {}
    : { mostPull: 1 / personalSteps(plan, count, {}).learningRate };
  post({ type: 'rows', count, classes, outside, unused, ...pull });
}

/** A table, or arrays of NumPy. */
async function rowsOf(plan: Plan, file: File): Promise<SiteRows> {
  const { data } = plan;
  const terms = rowTermsOf(plan);
  if (/\.npz$/i.test(file.name)) {
    const arrays = await parseNpz(new Uint8Array(await file.arrayBuffer()));
    return readSiteArrays(data, labelledArrays(data, arrays), terms);
  }
  if (/\.parquet$/i.test(file.name)) {
    const slice = (start: number, end?: number) => file.slice(start, end).arrayBuffer();
    return readSiteTable(
      data,
      (options) => readParquet({ byteLength: file.size, slice }, options),
      terms,
    );
  }
  const format = /\.jsonl?$/i.test(file.name) ? 'jsonl' : 'csv';
  return readSiteRows(data, file.stream(), format, terms);
}

async function train(pull: number | undefined): Promise<void> {
  const seen = joined!.planDigest;
  const kept = await memoryOf(invitation!);
  let personal: PersonalModel | undefined;
  try {
    const onEvent = (event: SiteEvent): void => post({ type: 'event', event });
    const end = await runSite({
      invitation: invitation!,
      open,
      memory: kept,
      async consent({ planDigest }) {
        if (planDigest === seen) return;
        throw new SkeinError('SITE_PLAN_CHANGED', 'The plan is not the one that the page showed.');
      },
      async prepare(accepted, fetchModel) {
        const { run } = invitation!;
        const model = await fetchModel();
        const shared = { run, memory: kept, model, rows: rows!, backend: wasmBackend };
        const answering = { ...shared, joined: accepted, onEvent };
        if (pull === undefined) return openWork(answering);
        personal = await openPersonalModel({
          ...shared,
          plan: accepted.plan,
          terms: { pull, from: 'own' },
          onTrained({ round, own }) {
            post({ type: 'own', round, file: new Blob([personal!.fileOf(own)]) });
          },
          onProblem(problem, round) {
            const reason = problem instanceof Error ? problem.message : String(problem);
            post({ type: 'own-problem', message: `Round ${round + 1}: ${reason}` });
          },
        });
        const { onBroadcast } = personal;
        return personal.first(await openWork({ ...answering, onBroadcast }));
      },
      onEvent,
      signal: leaving.signal,
    });
    post({ type: 'end', end });
    if (!leaving.signal.aborted) await personal?.finish(true);
  } finally {
    await personal?.close();
    post({ type: 'own-done' });
  }
}

const WORK: {
  readonly [T in ToWorker['type']]: (message: Extract<ToWorker, { type: T }>) => unknown;
} = {
  look: ({ invitation: text }) => look(text),
  rows: ({ file }) => readFile(file),
  join: ({ pull }) => train(pull),
  stop: () => leaving.abort(),
};

addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  const work = WORK[data.type] as (message: ToWorker) => unknown;
  Promise.resolve()
    .then(() => work(data))
    .catch((error: unknown) => {
      const known =
        error instanceof SkeinError
          ? error
          : new SkeinError('INTERNAL', 'The page has a fault.', { cause: error });
      if (known !== error) console.error(error);
      const { code, message } = known;
      post({ type: 'error', code, message, fix: ERRORS[code].fix });
    });
});

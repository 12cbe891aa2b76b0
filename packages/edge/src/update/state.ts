/**
 * The installed versions of a device, and their transitions: pure functions from one state to the next. The updater
 * stores each state before it acts on it.
 *
 *   nothing ──activated──▶ on trial ──answers──▶ committed ──activated──▶ on trial (the committed one is `previous`)
 *                             └──a fault, or starts without an answer──▶ rolled back: `previous` again, the other failed
 */
import { z } from 'zod';

/** Answers after which a new version is committed. */
export const HEALTH_ANSWERS = 20;
/** Starts of a version on trial in a row without an answer: it takes its process with it. */
const MOST_STARTS = 3;
/** Checks of a version during which the device has stopped: a power cut is no fault of the version, three may be. */
const MOST_ATTEMPTS = 3;
/** Failed versions that are kept; a publisher has at most a few, and the newest count. */
const MOST_FAILED = 20;

const Digest = z.string();
const Installed = z.object({
  slot: z.enum(['a', 'b']),
  version: z.number().int(),
  /** SHA-256 of the manifest. */
  digest: Digest,
});
const Failed = z.object({ version: z.number().int(), digest: Digest, reason: z.string() });
export const DeviceState = z.object({
  schema: z.literal(1),
  active: Installed.nullable(),
  previous: Installed.nullable(),
  /** Present until the active version is committed. */
  trial: z.object({ starts: z.number().int(), answers: z.number().int() }).nullable(),
  /** The version whose chunks are downloaded or checked. */
  trying: z.object({ digest: Digest, attempts: z.number().int() }).nullable(),
  failed: z.array(Failed),
});

export type DeviceState = z.output<typeof DeviceState>;
export type Installed = z.output<typeof Installed>;
export type Failed = z.output<typeof Failed>;
export type Slot = Installed['slot'];

export const NOTHING: DeviceState = {
  schema: 1,
  active: null,
  previous: null,
  trial: null,
  trying: null,
  failed: [],
};

/** The slot that no running version uses. */
export function freeSlot({ active }: DeviceState): Slot {
  return active?.slot === 'a' ? 'b' : 'a';
}

/** A process has started with the active version. */
export function started(state: DeviceState): DeviceState {
  const { trial } = state;
  if (trial === null) return state;
  if (trial.starts >= MOST_STARTS) {
    return rolledBack(state, `it was started ${trial.starts} times and gave no answer`);
  }
  return { ...state, trial: { ...trial, starts: trial.starts + 1 } };
}

/** The active version was loaded, and a run of it has ended: its process survives it. */
export function ran(state: DeviceState): DeviceState {
  const { trial } = state;
  return trial === null || trial.starts === 0
    ? state
    : { ...state, trial: { ...trial, starts: 0 } };
}

/** The active version has answered. The slot of the one before is free once it is committed. */
export function answered(state: DeviceState): DeviceState {
  const { trial } = state;
  if (trial === null) return state;
  const answers = trial.answers + 1;
  return { ...state, trial: answers >= HEALTH_ANSWERS ? null : { starts: 0, answers } };
}

/** The active version has failed to answer, or its files are damaged. */
export function faulted(state: DeviceState, reason: string): DeviceState {
  return state.trial === null ? state : rolledBack(state, reason);
}

/** @param reason the version is not installed again; absent: its files were damaged, and another copy may serve. */
export function rolledBack(state: DeviceState, reason?: string): DeviceState {
  const { active, previous } = state;
  const back = { ...state, active: previous, previous: null, trial: null };
  return active === null || reason === undefined ? back : failedWith(back, active, reason);
}

export function failedWith(
  state: DeviceState,
  { version, digest }: Pick<Installed, 'version' | 'digest'>,
  reason: string,
): DeviceState {
  const others = state.failed.filter((each) => each.digest !== digest);
  const failed = [...others, { version, digest, reason }].slice(-MOST_FAILED);
  return { ...state, trying: null, failed };
}

/** Chunks of a version are downloaded into the free slot, which loses its content. */
export function downloading(state: DeviceState, digest: string): DeviceState {
  const attempts = state.trying?.digest === digest ? state.trying.attempts : 0;
  return { ...state, previous: null, trying: { digest, attempts } };
}

/** The golden vectors of a version are about to run. A process that dies meanwhile has counted an attempt. */
export function checking(
  state: DeviceState,
  candidate: Pick<Installed, 'version' | 'digest'>,
): DeviceState {
  const attempts = (state.trying?.attempts ?? 0) + 1;
  if (attempts > MOST_ATTEMPTS) {
    return failedWith(
      state,
      candidate,
      `the device stopped ${MOST_ATTEMPTS} times while it was checked`,
    );
  }
  return { ...state, trying: { digest: candidate.digest, attempts } };
}

/** A version has passed its golden vectors, and takes over. */
export function activated(state: DeviceState, installed: Installed): DeviceState {
  return {
    ...state,
    active: installed,
    previous: state.active,
    trial: { starts: 0, answers: 0 },
    trying: null,
  };
}

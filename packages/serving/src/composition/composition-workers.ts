/**
 * The workers of one composition: starts and drains them to the wanted number, and replaces crashed
 * ones.
 *
 *   loading ──▶ ready ──▶ draining ──▶ gone
 *      └──────────┴── crash: gone with its failure, and a new one after a pause that doubles
 */
import type { SkeinError } from '@skein/api';
import type { Clock, Instant, ReplicaSnapshot } from '../contract.ts';
import { CompositionHost } from './composition-host.ts';
import type { CompositionRun } from './composition-run.ts';
import type { CallMessage, CompositionInterface } from './composition-worker.ts';
import type { WireTensors } from '../tensor-transfer.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** Failed workers stay in the snapshot, so that an operator can read the reason. */
const REMEMBERED_FAILURES = 3;

export interface Slot {
  readonly id: string;
  readonly host: CompositionHost;
  readonly running: Map<number, CompositionRun>;
  state: ReplicaSnapshot['state'];
  since: Instant;
  runs: number;
  failure: string | undefined;
}

export interface WorkerEvents {
  ready(slot: Slot, offers: CompositionInterface): void;
  /** A composition calls a deployment. */
  call(slot: Slot, message: CallMessage): Promise<WireTensors>;
  /** The worker ended unasked; its runs are still in `slot.running`. */
  lost(slot: Slot, reason: string): void;
  /** The worker never became ready. */
  failed(error: SkeinError): void;
  changed(replica: ReplicaSnapshot): void;
}

export class CompositionWorkers {
  readonly #moduleUrl: string;
  readonly #name: string;
  readonly #clock: Clock;
  readonly #events: WorkerEvents;
  readonly #slots: Slot[] = [];
  readonly #failures: ReplicaSnapshot[] = [];
  #wanted = 0;
  #started = 0;
  #pauseMs = FIRST_PAUSE_MS;
  #restart: NodeJS.Timeout | undefined;

  constructor(moduleUrl: string, name: string, clock: Clock, events: WorkerEvents) {
    this.#moduleUrl = moduleUrl;
    this.#name = name;
    this.#clock = clock;
    this.#events = events;
  }

  /** Workers that have not ended. */
  get slots(): readonly Slot[] {
    return this.#slots;
  }

  get wanted(): number {
    return this.#wanted;
  }

  scaleTo(count: number): void {
    this.#wanted = count;
    if (count === 0) clearTimeout(this.#restart);
    this.#fill();
    const alive = this.#slots.filter(({ state }) => state !== 'draining');
    // End the youngest workers first: they have the least to lose.
    for (const slot of alive.slice(count)) this.#drain(slot);
  }

  /**
   * The ready worker with the fewest runs, below `limit`.
   *
   * A suspect, which was in a worker that crashed, runs alone: if it was the cause, a second crash
   * fails no other request.
   */
  idlest(limit: number, suspect: boolean): Slot | undefined {
    let idlest: Slot | undefined;
    for (const slot of this.#slots) {
      if (slot.state !== 'ready' || slot.running.size >= (suspect ? 1 : limit)) continue;
      if (holdsSuspect(slot)) continue;
      if (idlest === undefined || slot.running.size < idlest.running.size) idlest = slot;
    }
    return idlest;
  }

  /** Ends a draining worker once it runs no request. */
  release(slot: Slot): void {
    if (slot.state === 'draining' && slot.running.size === 0) void this.#end(slot);
  }

  snapshots(): ReplicaSnapshot[] {
    return [...this.#slots.map(snapshotOf), ...this.#failures];
  }

  /** Mean fraction of the time since the last call that the ready workers were busy. */
  load(): number {
    const ready = this.#slots.filter(({ state }) => state === 'ready');
    return ready.reduce((sum, { host }) => sum + host.load(), 0) / Math.max(1, ready.length);
  }

  /** Ends every worker at once. */
  async close(): Promise<void> {
    this.#wanted = 0;
    clearTimeout(this.#restart);
    await Promise.all(this.#slots.map((slot) => this.#end(slot)));
  }

  #fill(): void {
    const alive = this.#slots.filter(({ state }) => state !== 'draining').length;
    for (let i = alive; i < this.#wanted; i++) this.#start();
  }

  #start(): void {
    const slot: Slot = {
      id: `${this.#name}#${++this.#started}`,
      state: 'loading',
      since: this.#clock.now(),
      runs: 0,
      failure: undefined,
      running: new Map(),
      host: new CompositionHost(this.#moduleUrl, {
        serves: { call: (message) => this.#events.call(slot, message) },
        onLost: (reason) => {
          this.#remember(slot, reason);
          this.#events.lost(slot, reason);
        },
      }),
    };
    this.#slots.push(slot);
    this.#events.changed(snapshotOf(slot));
    void this.#await(slot);
  }

  async #await(slot: Slot): Promise<void> {
    try {
      const offers = await slot.host.ready;
      if (slot.state !== 'loading') return;
      this.#pauseMs = FIRST_PAUSE_MS;
      this.#enter(slot, 'ready');
      this.#events.ready(slot, offers);
    } catch (error) {
      if (slot.state !== 'loading') return;
      this.#remember(slot, (error as SkeinError).message);
      this.#events.failed(error as SkeinError);
    }
  }

  /** Records a worker that ended unasked, and starts another one after a pause. */
  #remember(slot: Slot, failure: string): void {
    slot.failure = failure;
    this.#slots.splice(this.#slots.indexOf(slot), 1);
    this.#enter(slot, 'gone');
    this.#failures.push(snapshotOf(slot));
    if (this.#failures.length > REMEMBERED_FAILURES) this.#failures.shift();
    clearTimeout(this.#restart);
    this.#restart = setTimeout(() => this.#fill(), this.#pauseMs);
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2);
  }

  #drain(slot: Slot): void {
    this.#enter(slot, 'draining');
    this.release(slot);
  }

  async #end(slot: Slot): Promise<void> {
    const index = this.#slots.indexOf(slot);
    if (index >= 0) this.#slots.splice(index, 1);
    this.#enter(slot, 'gone');
    await slot.host.close();
  }

  #enter(slot: Slot, state: Slot['state']): void {
    if (slot.state === state) return;
    slot.state = state;
    slot.since = this.#clock.now();
    this.#events.changed(snapshotOf(slot));
  }
}

function holdsSuspect({ running }: Slot): boolean {
  for (const run of running.values()) if (run.losses > 0) return true;
  return false;
}

function snapshotOf({ id, state, running, since, runs, failure }: Slot): ReplicaSnapshot {
  return { id, state, busy: running.size > 0, since, runs, failure };
}

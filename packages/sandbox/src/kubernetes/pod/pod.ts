/** The pod of a session, with the connection to its process 1, and the commands that run in it. */
import { SkeinError } from '@skein/api';
import type { V1Pod } from '@kubernetes/client-node';
import { ClusterError, type Cluster } from '../cluster/cluster.ts';
import type { ContainerCounts, Control } from './control.ts';
import { hasEnded, isOutOfMemory, whyEnded } from './pod-state.ts';
import type { WatchedPods } from '../cluster/watch-pods.ts';

/** How long the state of a lost pod may take to arrive, in milliseconds. */
const STATE_MS = 3000;

export class Pod {
  readonly cluster: Cluster;
  readonly name: string;
  readonly path: string;
  readonly lost: Promise<void>;
  readonly #control: Control;
  readonly #pods: WatchedPods;
  /** Process ids of the commands that run. */
  readonly #commands = new Set<number>();
  /** Commands on their way into the pod, which a sweep would kill. */
  #entering = 0;
  #why = 'its pod has ended';

  constructor(cluster: Cluster, path: string, pods: WatchedPods, control: Control) {
    this.cluster = cluster;
    this.path = path;
    this.name = path.split('/').at(-1) ?? '';
    this.lost = control.lost;
    this.#control = control;
    this.#pods = pods;
  }

  get isLost(): boolean {
    return this.#control.isLost;
  }

  counts(): Promise<ContainerCounts> {
    return this.#control.look();
  }

  /** @param start resolves with a command whose process waits in the pod. */
  async enter<Entered extends { readonly pid: number }>(
    start: () => Promise<Entered>,
  ): Promise<Entered> {
    this.#entering += 1;
    try {
      const entered = await start();
      this.#commands.add(entered.pid);
      return entered;
    } finally {
      this.#entering -= 1;
    }
  }

  /**
   * Kills what a command left behind: everything in the pod, unless another command runs in it. Then
   * only its process group, and the rest when the last command ends.
   */
  async left(pid: number): Promise<ContainerCounts> {
    this.#commands.delete(pid);
    if (this.#commands.size + this.#entering === 0) return await this.#control.sweep();
    this.#control.killGroup(pid);
    return await this.#control.look();
  }

  killCommand(pid: number): void {
    const isAlone = this.#commands.size === 1 && this.#entering === 0;
    if (isAlone) this.#control.sweep().catch(() => undefined);
    else this.#control.killGroup(pid);
  }

  signal(name: NodeJS.Signals, pid: number): void {
    if (this.#commands.has(pid)) this.#control.signal(name, pid);
  }

  /** Whether the kernel killed the container for lack of memory; waits for what the cluster says. */
  async endedOutOfMemory(): Promise<boolean> {
    const own = (pods: readonly V1Pod[]): V1Pod | undefined =>
      pods.find(({ metadata }) => metadata?.name === this.name);
    try {
      const pod = await this.#pods.until((pods) => {
        const found = own(pods);
        if (found === undefined) throw new Error('its pod was removed');
        return hasEnded(found) ? found : undefined;
      }, AbortSignal.timeout(STATE_MS));
      this.#why = whyEnded(pod);
      return isOutOfMemory(pod);
    } catch (error) {
      if (!this.isLost) this.#why = 'a connection to its pod was lost';
      else if (error instanceof Error && error.name === 'Error') this.#why = error.message;
      return false;
    }
  }

  lostError(): SkeinError {
    return new SkeinError('SANDBOX_LOST', `The sandbox is gone: ${this.#why}.`);
  }

  /** Ends the pod at once, and everything in it. */
  async remove(): Promise<void> {
    try {
      await this.cluster.request('DELETE', this.path, { body: { gracePeriodSeconds: 0 } });
    } catch (error) {
      if (!(error instanceof ClusterError && error.status === 404)) throw error;
    } finally {
      // Process 1 ends with it, if it can.
      this.#control.close();
    }
  }

  /** Kills everything, and lets process 1 end. */
  async end(): Promise<void> {
    await this.#control.sweep().catch(() => undefined);
    this.#control.close();
  }
}

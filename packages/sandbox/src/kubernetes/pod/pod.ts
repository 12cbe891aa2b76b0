/** The pod of a session, with the connection to its process 1, and the commands that run in it. */
import { SkeinError } from '@skein/api';
import type { V1Pod } from '@kubernetes/client-node';
import { ClusterError, type Cluster } from '../cluster/cluster.ts';
import type { ContainerCounts, Control } from './control.ts';
import { hasEnded, isOutOfMemory, whyEnded } from './pod-state.ts';
import type { WatchedPods } from '../cluster/watch-pods.ts';

/** How long the state of a lost pod may take to arrive, in milliseconds. */
const STATE_MS = 3000;

export type Pod = ReturnType<typeof podAt>;

export function podAt(cluster: Cluster, path: string, pods: WatchedPods, control: Control) {
  const name = path.split('/').at(-1) ?? '';
  /** Process ids of the commands that run. */
  const commands = new Set<number>();
  /** Commands on their way into the pod, which a sweep would kill. */
  let entering = 0;
  let why = 'its pod has ended';
  const own = (all: readonly V1Pod[]): V1Pod | undefined =>
    all.find(({ metadata }) => metadata?.name === name);

  return {
    cluster,
    name,
    path,
    lost: control.lost,
    isLost: control.isLost,
    counts: control.look,
    /** @param start resolves with a command whose process waits in the pod. */
    async enter<Entered extends { readonly pid: number }>(
      start: () => Promise<Entered>,
    ): Promise<Entered> {
      entering += 1;
      try {
        const entered = await start();
        commands.add(entered.pid);
        return entered;
      } finally {
        entering -= 1;
      }
    },
    /**
     * Kills what a command left behind: everything in the pod, unless another command runs in it.
     * Then only its process group, and the rest when the last command ends.
     */
    async left(pid: number): Promise<ContainerCounts> {
      commands.delete(pid);
      if (commands.size + entering === 0) return await control.sweep();
      control.killGroup(pid);
      return await control.look();
    },
    killCommand(pid: number): void {
      const isAlone = commands.size === 1 && entering === 0;
      if (isAlone) control.sweep().catch(() => undefined);
      else control.killGroup(pid);
    },
    signal(name: NodeJS.Signals, pid: number): void {
      if (commands.has(pid)) control.signal(name, pid);
    },
    /** Whether the kernel killed the container for lack of memory; waits for the cluster's report. */
    async endedOutOfMemory(): Promise<boolean> {
      try {
        const pod = await pods.until((all) => {
          const found = own(all);
          if (found === undefined) throw new Error('its pod was removed');
          return hasEnded(found) ? found : undefined;
        }, AbortSignal.timeout(STATE_MS));
        why = whyEnded(pod);
        return isOutOfMemory(pod);
      } catch (error) {
        if (!control.isLost()) why = 'a connection to its pod was lost';
        else if (error instanceof Error && error.name === 'Error') why = error.message;
        return false;
      }
    },
    lostError: () => new SkeinError('SANDBOX_LOST', `The sandbox is gone: ${why}.`),
    /** Ends the pod at once, and everything in it. */
    async remove(): Promise<void> {
      try {
        await cluster.request('DELETE', path, { body: { gracePeriodSeconds: 0 } });
      } catch (error) {
        if (!(error instanceof ClusterError && error.status === 404)) throw error;
      } finally {
        // Process 1 ends with it, if it can.
        control.close();
      }
    },
    /** Kills everything, and lets process 1 end. */
    async end(): Promise<void> {
      await control.sweep().catch(() => undefined);
      control.close();
    },
  };
}

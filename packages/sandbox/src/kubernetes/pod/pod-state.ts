/** The meaning of a pod's state for the session that waits for it, or runs in it. */
import type { V1ContainerStatus, V1Pod } from '@kubernetes/client-node';
import { SkeinError } from '@skein/api';

/** Reasons of a waiting container that waiting does not change. */
const BAD_IMAGE = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
]);
/** A runtime's reason when a program is not in the image. */
const NOT_FOUND = 'StartError';

/**
 * The pod once its container runs; undefined while it is on its way.
 * @throws SkeinError SANDBOX_IMAGE_UNKNOWN, SANDBOX_NOT_STARTED when it never will.
 */
export function runningIn(pod: V1Pod, container: string): V1Pod | undefined {
  const statuses = [
    ...(pod.status?.initContainerStatuses ?? []),
    ...(pod.status?.containerStatuses ?? []),
  ];
  for (const each of statuses) refuseBadImage(each);
  const own = statuses.find(({ name }) => name === container);
  if (own?.state?.running !== undefined) return pod;
  if (pod.metadata?.deletionTimestamp !== undefined) throw notStarted('it was deleted');
  const phase = pod.status?.phase;
  if (phase === 'Failed' || phase === 'Succeeded') throw notStarted(whyEnded(pod));
  return undefined;
}

function refuseBadImage({ image, state }: V1ContainerStatus): void {
  const { reason = '', message = '' } = state?.waiting ?? state?.terminated ?? {};
  const cause = message === '' ? reason : `${reason}: ${message}`;
  if (BAD_IMAGE.has(reason) || reason === NOT_FOUND) {
    throw new SkeinError(
      'SANDBOX_IMAGE_UNKNOWN',
      `The cluster cannot run the image ${JSON.stringify(image)}: ${cause}. It needs sh, coreutils and GNU tar.`,
    );
  }
}

function notStarted(why: string): SkeinError {
  return new SkeinError('SANDBOX_NOT_STARTED', `The pod of the sandbox did not start: ${why}.`);
}

/** Whether the kernel killed the whole container for lack of memory. */
export function isOutOfMemory(pod: V1Pod): boolean {
  return terminations(pod).some(({ reason }) => reason === 'OOMKilled');
}

export function hasEnded(pod: V1Pod): boolean {
  return terminations(pod).length > 0 || pod.metadata?.deletionTimestamp !== undefined;
}

/** In words: `OOMKilled`, `DeadlineExceeded: …`, `Evicted: …`. */
export function whyEnded(pod: V1Pod): string {
  const [ended] = terminations(pod);
  const { reason = ended?.reason, message = ended?.message } = pod.status ?? {};
  return [reason ?? 'the pod has ended', message].filter(Boolean).join(': ').replace(/\.$/, '');
}

function terminations(pod: V1Pod) {
  return (pod.status?.containerStatuses ?? []).flatMap(({ state }) => state?.terminated ?? []);
}

/**
 * A signal that follows another one until it is unlinked, or ends by `abort`. AbortSignal.any costs
 * several times as much, and Node keeps a composite signal for as long as it has a listener.
 */
export function linkedTo(parent: AbortSignal) {
  const controller = new AbortController();
  const follow = (): void => controller.abort(parent.reason);
  if (parent.aborted) follow();
  else parent.addEventListener('abort', follow, { once: true });
  return {
    signal: controller.signal,
    abort: (reason: Error) => controller.abort(reason),
    unlink: () => parent.removeEventListener('abort', follow),
  };
}

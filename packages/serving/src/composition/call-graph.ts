/** The graph of calls between deployments. It must have no cycle: each member would wait for the next. */
import type { Deployment } from '../deployment/deployment.ts';

/** The deployments that any loaded version of this one calls. */
export function callsOf(deployment: Deployment): readonly string[] {
  if (deployment.kind === 'onnx') return [];
  const calls = new Set<string>();
  for (const { target } of deployment.live.values()) {
    for (const callee of target.calls ?? []) calls.add(callee);
  }
  return [...calls];
}

export function callersOf(name: string, deployments: Iterable<Deployment>): string[] {
  const callers: string[] = [];
  for (const deployment of deployments) {
    if (callsOf(deployment).includes(name)) callers.push(deployment.name);
  }
  return callers;
}

/**
 * The cycle through `name`, if there is one.
 *
 * @param calls the deployments that `name` is about to call.
 * @param callsOf the calls of every other deployment.
 */
export function cycleThrough(
  name: string,
  calls: readonly string[],
  callsOf: (deployment: string) => readonly string[],
): string[] | undefined {
  const visited = new Set<string>();
  const walk = (from: string, callees: readonly string[]): string[] | undefined => {
    for (const callee of callees) {
      if (callee === name) return [from, name];
      if (visited.has(callee)) continue;
      visited.add(callee);
      const rest = walk(callee, callsOf(callee));
      if (rest !== undefined) return [from, ...rest];
    }
    return undefined;
  };
  return walk(name, calls);
}

/** Waits for events of a scene instead of for time. */
import type { ServingEvent } from '../monitoring/events.ts';
import { ACTOR, type Scene } from './scene.ts';

/** Resolves with the first matching event, replayed ones included. */
export function event(
  scene: Pick<Scene, 'serving'>,
  fits: (event: ServingEvent) => boolean,
): Promise<ServingEvent> {
  return new Promise((resolve) => {
    const end = scene.serving.events.subscribe((each) => {
      if (!fits(each)) return;
      queueMicrotask(() => end());
      resolve(each);
    }, 0);
  });
}

export const eventOfKind = (scene: Pick<Scene, 'serving'>, kind: string): Promise<ServingEvent> =>
  event(scene, ({ details }) => details['happened'] === kind);

export async function deployed(scene: Scene, name = 'risk'): Promise<void> {
  await scene.version(name);
  await scene.serving.deploy({ name, version: '1' }, ACTOR);
}

/** Sends requests, one after another, until an event matches. */
export async function sendUntil(
  scene: Pick<Scene, 'serving'>,
  kind: string,
  send: () => Promise<unknown>,
): Promise<ServingEvent> {
  const seen: ServingEvent[] = [];
  const waiting = eventOfKind(scene, kind).then((found) => seen.push(found));
  while (seen.length === 0) {
    await send();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await waiting;
  return seen[0]!;
}

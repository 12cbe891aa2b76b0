/**
 * The federations that a node coordinates. A node without one pays nothing for them: the coordinator
 * is imported and opened by the first call, or after the start where the data folder holds
 * federations; a connection to one that does not exist is not taken.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type FederationView, SkeinError } from '@skein/api';
import { FEDERATION_PATH } from '@skein/api/federations';
import type { Coordinator } from '@skein/federation/coordinator';
import type { UpgradeHandler } from '@skein/http';
import type { Registry } from '@skein/serving';
import type { DataFolder } from '@skein/state';
import type {
  FederationsOptions,
  OpenedFederations,
  StartFederation,
} from '../federations/open-federations.ts';
import type { Opening } from './component.ts';

/** In the folder of the federations, unless a Redis holds them. */
export const DATABASE = 'federations.db';

export interface FederationComponent {
  list(): Promise<FederationView[]>;
  /** @throws SkeinError FEDERATION_UNKNOWN. */
  view(id: string): Promise<FederationView>;
  /** @throws SkeinError PLAN_INVALID, PRIVACY_UNATTAINABLE, MODEL_UNKNOWN, VERSION_UNKNOWN. */
  start(from: StartFederation): Promise<FederationView>;
  coordinator(): Promise<Coordinator>;
  readonly upgrade: UpgradeHandler;
  /** Ends the connections of sites and helpers, which do not end by themselves, and takes no more. */
  disconnect(): void;
  /** Resumes the federations of an earlier process. */
  resume(): void;
  close(): Promise<void>;
}

/** @throws SkeinError STATE_TOO_NEW. */
export async function openFederations(
  { options, logger, lifecycle }: Opening,
  { folder, registry }: { readonly folder: DataFolder; readonly registry: Registry },
): Promise<FederationComponent> {
  const place = join(folder.root, 'federations');
  const component = createFederations(place, { ...options, registry, logger });
  lifecycle.open('federations', () => component.close());
  if (options.redis === undefined) await refuseNewer(join(place, DATABASE));
  return component;
}

/** Any other failure is reported when the federations are resumed, and the models are served meanwhile. */
async function refuseNewer(database: string): Promise<void> {
  if (!existsSync(database)) return;
  const { openFederationStore } = await import('@skein/federation/store');
  try {
    await (await openFederationStore(database)).close();
  } catch (error) {
    if (error instanceof SkeinError && error.code === 'STATE_TOO_NEW') throw error;
  }
}

/** @param place folder of the federations; made by the first of them. */
export function createFederations(place: string, options: FederationsOptions): FederationComponent {
  let opened: Promise<OpenedFederations> | undefined;
  let isDraining = false;
  /** One that failed, for a full disk or a store that is away, is tried again by the next call. */
  const open = (): Promise<OpenedFederations> =>
    (opened ??= import('../federations/open-federations.ts')
      .then((module) => module.openFederationsAt(place, options))
      .catch((error: unknown) => {
        opened = undefined;
        throw error;
      }));

  return {
    list: async () => (await open()).list(),
    view: async (id) => (await open()).view(id),
    start: async (from) => (await open()).start(from),
    coordinator: async () => (await open()).coordinator,
    upgrade: {
      asks: ({ url = '' }) =>
        !isDraining &&
        url.split('?', 1)[0] === FEDERATION_PATH &&
        // A stranger must not make the first one.
        (opened !== undefined || existsSync(place)),
      async accept(request, socket, head) {
        return (await open()).coordinator.upgrade.accept(request, socket, head);
      },
    },
    disconnect() {
      isDraining = true;
      opened?.then(
        ({ coordinator }) => coordinator.disconnect(),
        () => {},
      );
    },
    resume() {
      if (!existsSync(place)) return;
      open().catch((error: unknown) => {
        options.logger.warn(
          { err: error },
          'The federations of the data folder cannot be resumed.',
        );
      });
    },
    close: async () => (await opened?.catch(() => undefined))?.close(),
  };
}

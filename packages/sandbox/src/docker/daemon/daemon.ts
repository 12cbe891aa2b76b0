/** The properties of a Docker daemon that decide which limits it can enforce. */
import type Docker from 'dockerode';
import { engineError, statusOf } from './engine.ts';
import { imageUnknown } from '../container/container.ts';
import { dockerReference } from '../../images.ts';

export interface Daemon {
  readonly version: string;
  /** Version of its control groups. */
  readonly groups: 'v1' | 'v2';
  /** Names of its OCI runtimes. */
  readonly runtimes: readonly string[];
  /** The id of this installation. */
  readonly id: string;
}

/** The answer's fields that the client's types do not know. */
interface Info {
  readonly ID: string;
  readonly ServerVersion: string;
  readonly CgroupVersion?: string;
  readonly Runtimes?: Readonly<Record<string, unknown>>;
}

/** @throws Error when it does not answer. */
export async function askDaemon(docker: Docker): Promise<Daemon> {
  const info = (await docker.info()) as Info;
  return {
    version: info.ServerVersion,
    groups: info.CgroupVersion === '2' ? 'v2' : 'v1',
    runtimes: Object.keys(info.Runtimes ?? {}),
    id: info.ID,
  };
}

/** The digest that the image of a session stands for. @throws SkeinError SANDBOX_IMAGE_UNKNOWN, SANDBOX_UNAVAILABLE. */
export async function digestOf(docker: Docker, image: string): Promise<string> {
  // It becomes part of a path: a folder's path would ask another host.
  const reference = dockerReference(image);
  try {
    return (await docker.getImage(reference).inspect()).Id;
  } catch (error) {
    throw statusOf(error) === 404
      ? imageUnknown(reference)
      : engineError(error, 'look at an image');
  }
}

/**
 * Images by name. An image is the whole root that a guest sees, so its choice decides which files
 * of the host are shown. An untrusted caller therefore names an image that the operator has
 * registered:
 *
 *     bubblewrap   NAME is the folder of this name in the folder of images
 *     docker       NAME is the tag of this name in the repository `skein-sandbox` of the daemon
 *
 * Anything else, a path or another reference of Docker, is for trusted callers: see
 * jobs/admission.ts.
 */
import { realpathSync, statSync } from 'node:fs';
import { SkeinError } from '@skein/api';

const REPOSITORY = 'skein-sandbox';
/** A tag of Docker; no name leads out of a folder. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
/** Repository, tag and digest; it becomes part of a request path of the daemon. */
const REFERENCE = /^[A-Za-z0-9][\w./:@-]*$/;
const IMAGES_FOLDER = '/var/lib/skein/images';
/** Profiles of deploy/sandbox/base-image.sh. */
const PROFILES = ['minimal', 'judge', 'judge-all'];

/** Folders that belong to the host. Neither they nor a folder that contains one is an image. */
const OF_THE_HOST = [
  'boot',
  'dev',
  'etc',
  'home',
  'proc',
  'root',
  'run',
  'sys',
  'tmp',
  'usr',
  'var',
];
/** The folders among them that an image has its own copy of. */
const HOLDS_SECRETS = ['etc', 'home', 'root', 'var'];
/** Nor is any folder inside these: they contain no root file system. */
const OF_THE_KERNEL = ['dev', 'proc', 'run', 'sys'];

/**
 * The name of an image, plain or as Docker writes it; undefined for a path or another reference.
 */
export function registeredName(image: string): string | undefined {
  const prefix = `${REPOSITORY}:`;
  const name = image.startsWith(prefix) ? image.slice(prefix.length) : image;
  return NAME.test(name) ? name : undefined;
}

/** The image's name for the Docker daemon. @throws SkeinError SANDBOX_IMAGE_UNKNOWN. */
export function dockerReference(image: string): string {
  const name = registeredName(image);
  if (name !== undefined) return `${REPOSITORY}:${name}`;
  if (!REFERENCE.test(image) || image.includes('..')) {
    throw unknown(`${JSON.stringify(image)} is not a name of a Docker image.`);
  }
  return image;
}

/** Whether an image is a folder: a path, or a name that the folder of images of this machine has. */
export function isFolderImage(image: string): boolean {
  const name = registeredName(image);
  if (name === undefined) return image.startsWith('/');
  const found = statSync(`${imagesFolder()}/${name}`, { throwIfNoEntry: false });
  return found?.isDirectory() === true;
}

/**
 * The folder of an image, without links.
 * @param image a name, or the absolute path of a folder.
 * @param hidden folders that no guest may see.
 * @throws SkeinError SANDBOX_IMAGE_UNKNOWN, SANDBOX_IMAGE_FORBIDDEN.
 */
export function imageFolder(image: string, hidden: readonly string[]): string {
  const name = registeredName(image);
  const path = name === undefined ? image : `${imagesFolder()}/${name}`;
  if (!path.startsWith('/')) {
    throw unknown(`${JSON.stringify(image)} is neither the name of an image nor an absolute path.`);
  }
  const folder = resolved(path);
  if (folder === undefined) {
    throw unknown(
      name === undefined
        ? `${JSON.stringify(image)} is not a directory.`
        : `No image is called ${JSON.stringify(name)}: there is no folder ${path}.${howToMake(name, 'bubblewrap')}`,
    );
  }
  const shown = [
    ...OF_THE_HOST.map((top) => `/${top}`).filter((top) => isWithin(top, folder)),
    // The host's own root may be mounted a second time elsewhere.
    ...HOLDS_SECRETS.map((top) => `/${top}`).filter((top) => isSame(top, `${folder}${top}`)),
    ...OF_THE_KERNEL.map((top) => `/${top}`).filter((top) => isWithin(folder, top)),
    ...hidden.filter((each) => isWithin(each, folder) || isWithin(folder, each)),
  ];
  if (shown.length > 0) {
    throw new SkeinError(
      'SANDBOX_IMAGE_FORBIDDEN',
      `${JSON.stringify(image)} would show ${shown[0]} of this machine to a guest.`,
    );
  }
  return folder;
}

/** Resolves the path; undefined when it does not exist or is not a directory. */
function resolved(path: string): string | undefined {
  try {
    const folder = realpathSync(path);
    return statSync(folder).isDirectory() ? folder : undefined;
  } catch {
    // A NUL character, a name that is too long, a circle of links: there is no such folder.
    return undefined;
  }
}

/** Compares real, existing paths; a path that does not exist is inside no folder. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
}

function isSame(path: string, other: string): boolean {
  const [one, two] = [path, other].map((each) => statSync(each, { throwIfNoEntry: false }));
  return one !== undefined && one.dev === two?.dev && one.ino === two.ino;
}

/** The command that makes an image of this name, where it is a profile. */
export function howToMake(image: string, driver: 'bubblewrap' | 'docker'): string {
  const name = registeredName(image);
  if (name === undefined || !PROFILES.includes(name)) return '';
  const to = driver === 'docker' ? '' : ` --to ${imagesFolder()}/${name}`;
  return ` \`sudo deploy/sandbox/base-image.sh ${name}${to}\` makes it for ${driver}.`;
}

function imagesFolder(): string {
  return process.env['SKEIN_IMAGES'] || IMAGES_FOLDER;
}

function unknown(message: string): SkeinError {
  return new SkeinError('SANDBOX_IMAGE_UNKNOWN', message);
}

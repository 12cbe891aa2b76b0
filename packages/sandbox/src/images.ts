/**
 * Images by name. An image is the whole root that a guest sees, so who may choose it chooses what of the
 * host is shown. A caller without trust therefore names an image that the operator has registered:
 *
 *     bubblewrap   NAME is the folder of this name in the folder of images
 *     docker       NAME is the tag of this name in the repository `skein-sandbox` of the daemon
 *
 * Anything else, a path or another reference of Docker, is for callers who are trusted: see
 * jobs/admission.ts.
 */
import { realpathSync, statSync } from 'node:fs';
import { SkeinError } from '@skein/api';

const REPOSITORY = 'skein-sandbox';
/** A tag of Docker; no name leads out of a folder. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
/** Repository, tag and digest; it becomes a part of an address of the daemon. */
const REFERENCE = /^[A-Za-z0-9][\w./:@-]*$/;
const IMAGES_FOLDER = '/var/lib/skein/images';

/** Folders whose content is the host's. None of them is an image, nor is a folder that holds one. */
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
/** Of these, the ones of which an image has its own. */
const HOLDS_SECRETS = ['etc', 'home', 'root', 'var'];
/** Nor is anything within these: what is there is no root file system. */
const OF_THE_KERNEL = ['dev', 'proc', 'run', 'sys'];

/** The name of an image, written as it is or as Docker has it; undefined for a path or another reference. */
export function registeredName(image: string): string | undefined {
  const prefix = `${REPOSITORY}:`;
  const name = image.startsWith(prefix) ? image.slice(prefix.length) : image;
  return NAME.test(name) ? name : undefined;
}

/** What the Docker daemon knows the image by. @throws SkeinError SANDBOX_IMAGE_UNKNOWN. */
export function dockerReference(image: string): string {
  const name = registeredName(image);
  if (name !== undefined) return `${REPOSITORY}:${name}`;
  if (!REFERENCE.test(image) || image.includes('..')) {
    throw unknown(`${JSON.stringify(image)} is no name that Docker has for an image.`);
  }
  return image;
}

/** Whether the folder of images of this machine has one of this name. */
export function isRegisteredFolder(image: string): boolean {
  const name = registeredName(image);
  return (
    name !== undefined &&
    statSync(`${imagesFolder()}/${name}`, { throwIfNoEntry: false })?.isDirectory() === true
  );
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
        : `No image is called ${JSON.stringify(name)}: there is no folder ${path}.`,
    );
  }
  const shown = [
    ...OF_THE_HOST.map((top) => `/${top}`).filter((top) => isWithin(top, folder)),
    // The host's own root may be mounted a second time somewhere.
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

/** Where the path leads; undefined when there is nothing, or no directory. */
function resolved(path: string): string | undefined {
  try {
    const folder = realpathSync(path);
    return statSync(folder).isDirectory() ? folder : undefined;
  } catch {
    // A NUL character, a name that is too long, a circle of links: no such folder.
    return undefined;
  }
}

/** Of real paths that exist; what does not exist is within nothing. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
}

function isSame(path: string, other: string): boolean {
  const [one, two] = [path, other].map((each) => statSync(each, { throwIfNoEntry: false }));
  return one !== undefined && one.dev === two?.dev && one.ino === two.ino;
}

function imagesFolder(): string {
  return process.env['SKEIN_IMAGES'] || IMAGES_FOLDER;
}

function unknown(message: string): SkeinError {
  return new SkeinError('SANDBOX_IMAGE_UNKNOWN', message);
}

/**
 * The folder of a driver outside of its data, for files that live as long as the process: named by
 * its owner.
 */
import { lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { ownerIsAlive, ownedName } from './owner.ts';

/** Makes the folder, and removes folders of dead processes. */
export async function makeRunFolder(): Promise<string> {
  const uid = process.getuid?.() ?? 0;
  const base =
    uid === 0
      ? '/run/skein-sandbox'
      : `${process.env['XDG_RUNTIME_DIR'] || tmpdir()}/skein-sandbox-${uid}`;
  mkdirSync(base, { recursive: true, mode: 0o711 });
  // In a world-writable folder another user may have made it.
  const stat = lstatSync(base);
  if (!stat.isDirectory() || stat.uid !== uid)
    throw new Error(`${base} is not a folder of this user`);
  for (const name of readdirSync(base)) {
    if (ownerIsAlive(name)) continue;
    // Another process may be removing it too, or a program that a killed one has started still writes
    // there: what is left is removed by the next one.
    await rm(`${base}/${name}`, { recursive: true, force: true }).catch(() => undefined);
  }
  const folder = `${base}/${ownedName()}`;
  mkdirSync(folder, { mode: 0o711 });
  return folder;
}

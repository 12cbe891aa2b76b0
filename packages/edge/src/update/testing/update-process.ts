/** Updates a device on a disk, and kills itself: `node update-process.ts DEVICE PLACE ROOT [CHANGE before|within|after]`. */
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { diskStorage } from '../../node/disk-storage.ts';
import { folderPlace } from '../../node/folder-place.ts';
import { HEALTH_ANSWERS } from '../state.ts';
import type { Storage } from '../storage.ts';
import { openDevice } from './edge-device.ts';

const [device = '', place = '', root = '', at = '-1', moment = 'before'] = process.argv.slice(2);
const disk = diskStorage(device);
let changes = 0;

const die = (): void => void process.kill(process.pid, 'SIGKILL');

async function change(work: () => Promise<void>, path: string, bytes?: Uint8Array): Promise<void> {
  const isLast = changes++ === Number(at);
  if (isLast && moment === 'before') die();
  if (isLast && moment === 'within' && bytes !== undefined) {
    // Half a file, under the name that it has before its rename.
    const partial = join(device, `${path}.partial`);
    mkdirSync(dirname(partial), { recursive: true });
    const file = openSync(partial, 'w');
    writeSync(file, bytes.subarray(0, bytes.length / 2));
    closeSync(file);
    die();
  }
  await work();
  if (isLast) die();
}

const storage: Storage = {
  read: (path) => disk.read(path),
  write: (path, bytes) => change(() => disk.write(path, bytes), path, bytes),
  remove: (path) => change(() => disk.remove(path), path),
};
const updater = await openDevice({
  storage,
  source: folderPlace(place),
  pinnedRoot: new Uint8Array(readFileSync(root)),
});
const outcome = await updater.update();
for (let count = 0; count < HEALTH_ANSWERS; count++) await updater.answered();
console.log(JSON.stringify({ ...outcome, changes }));
process.exit();

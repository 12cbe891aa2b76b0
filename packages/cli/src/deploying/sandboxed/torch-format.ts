/** Recognises the files of PyTorch by their content; nothing in them is run. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { TrainError, zipEntries } from '@skein/train';

/**
 * `torchscript`: an archive of torch.jit.save. `torch-export`: an archive of torch.export.save. `torch-pickle`: a
 * file of torch.save, with weights or with a pickled module, whose code is elsewhere.
 */
export type TorchFormat = 'torchscript' | 'torch-export' | 'torch-pickle';

const ZIP = Buffer.from('PK\u0003\u0004', 'latin1');
/** The number, pickled, with which torch.save began its files before version 1.6. */
const OLD_PICKLE = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex');

export function torchFormatOf(path: string): TorchFormat | undefined {
  const descriptor = openSync(path, 'r');
  try {
    const { size: byteLength } = fstatSync(descriptor);
    const slice = (from: number, to: number): Uint8Array => {
      const bytes = new Uint8Array(Math.max(0, Math.min(to, byteLength) - from));
      const count = bytes.length === 0 ? 0 : readSync(descriptor, bytes, 0, bytes.length, from);
      return bytes.subarray(0, count);
    };
    const head = Buffer.from(slice(0, OLD_PICKLE.length));
    if (head.equals(OLD_PICKLE)) return 'torch-pickle';
    if (!head.subarray(0, ZIP.length).equals(ZIP)) return undefined;
    return formatOf(zipEntries({ byteLength, slice }).map(({ name }) => name));
  } catch (error) {
    // A ZIP archive that is damaged is no file of PyTorch either.
    if (error instanceof TrainError) return undefined;
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

/** All files of an archive are in one folder, whose name is free; in older archives of torch.export they are in none. */
function formatOf(names: readonly string[]): TorchFormat | undefined {
  const inside = new Set(names.map((name) => name.replace(/^[^/]+\//, '')));
  const has = (prefix: string): boolean => [...inside].some((name) => name.startsWith(prefix));
  if (inside.has('serialized_exported_program.json')) return 'torch-export';
  if (inside.has('archive_format') && has('models/')) return 'torch-export';
  if (!inside.has('data.pkl') || !inside.has('version')) return undefined;
  return inside.has('constants.pkl') && has('code/') ? 'torchscript' : 'torch-pickle';
}

/** One contract for every storage: in memory, on a disk, and in a page. */
import { utf8 } from '@skein/api/canonical';
import type { Storage } from '../storage.ts';

function requireSame(found: unknown, wanted: unknown): void {
  const [a, b] = [found, wanted].map((each) => JSON.stringify(each));
  if (a !== b) throw new Error(`${a} instead of ${b}`);
}
const textOf = async (storage: Storage, path: string): Promise<string | undefined> => {
  const bytes = await storage.read(path);
  return bytes && new TextDecoder().decode(bytes);
};

export const STORAGE_CASES: Readonly<
  Record<string, (open: () => Promise<Storage>) => Promise<void>>
> = {
  'keeps a file for the next one that opens it': async (open) => {
    await (await open()).write('a/fp32/model.onnx', utf8('weights'));
    requireSame(await textOf(await open(), 'a/fp32/model.onnx'), 'weights');
  },
  'replaces a file by a shorter one': async (open) => {
    const storage = await open();
    await storage.write('state.json', utf8('a long text'));
    await storage.write('state.json', utf8('short'));
    requireSame(await textOf(storage, 'state.json'), 'short');
  },
  'has no file where there is none, nor where a folder is missing': async (open) => {
    const storage = await open();
    requireSame(await textOf(storage, 'nothing.json'), undefined);
    requireSame(await textOf(storage, 'no/folder/nothing.json'), undefined);
  },
  'removes a folder with all that is in it, and nothing else': async (open) => {
    const storage = await open();
    await storage.write('b/one/two', utf8('1'));
    await storage.write('bb', utf8('2'));
    await storage.remove('b');
    await storage.remove('b');
    await storage.remove('no/folder');
    requireSame(
      [await textOf(storage, 'b/one/two'), await textOf(storage, 'bb')],
      [undefined, '2'],
    );
  },
};

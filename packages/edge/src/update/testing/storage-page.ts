/** The page of `storage.test.ts`. */
import { opfsStorage } from '../opfs-storage.ts';
import { STORAGE_CASES } from './storage-cases.ts';

Object.assign(globalThis, {
  tryCase: (name: string) => STORAGE_CASES[name]!(async () => opfsStorage(`case ${name}`)),
  /** @returns the code of the error, and the length of the file after it. */
  fill: async (bytes: number) => {
    const storage = opfsStorage('full');
    await storage.write('model', new Uint8Array(10));
    const code = await storage.write('model', new Uint8Array(bytes)).then(
      () => undefined,
      (error: { code?: string }) => error.code,
    );
    return [code, (await storage.read('model'))?.length];
  },
});

/** Files below a prefix of a bucket, by their names, with the credentials of the environment. */
import { SkeinError } from '@skein/api/errors';
import { translated, type Bucket } from './bucket-artifacts.ts';
import { gcsBucket } from './gcs-artifacts.ts';
import { s3Bucket } from './s3-artifacts.ts';

export interface BucketFiles extends Disposable {
  /** Replaces a file of this name, at once for its readers. */
  write(name: string, path: string): Promise<void>;
  /** Undefined where there is none. */
  read(name: string): Promise<Buffer | undefined>;
  /** Succeeds too where there is none. */
  remove(name: string): Promise<void>;
}

const BUCKETS: Readonly<Record<string, (options: { readonly url: string }) => Promise<Bucket>>> = {
  's3:': s3Bucket,
  'gs:': gcsBucket,
};

export const isBucket = (text: string): boolean => /^(s3|gs):\/\//i.test(text);

/** @throws SkeinError USAGE, STORE_UNREACHABLE, STORE_DENIED; so do the methods. */
export async function openBucket(url: string, signal: AbortSignal): Promise<BucketFiles> {
  const { [/^[^:]*:/.exec(url)?.[0].toLowerCase() ?? '']: open } = BUCKETS;
  if (open === undefined) throw new SkeinError('USAGE', `"${url}" is not a bucket.`);
  const bucket = await open({ url });
  const keyOf = (name: string): string => `${bucket.prefix}${name}`;
  const coded = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw translated(error, bucket);
    }
  };
  const bytesOf = async (name: string): Promise<Buffer> => {
    const parts: Uint8Array[] = [];
    for await (const part of bucket.download(keyOf(name), 0)) parts.push(part);
    return Buffer.concat(parts);
  };
  await coded(bucket.probe(signal));
  return {
    write: (name, path) => coded(bucket.upload(keyOf(name), path)),
    async read(name) {
      try {
        return await bytesOf(name);
      } catch (error) {
        if (bucket.faultOf(error) === 'missing') return undefined;
        throw translated(error, bucket);
      }
    },
    remove: (name) => coded(bucket.remove(keyOf(name))),
    [Symbol.dispose]: () => bucket.close(),
  };
}

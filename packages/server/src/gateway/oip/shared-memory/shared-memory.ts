/**
 * Regions of system shared memory, by tenant: Triton's extension for clients on the same machine.
 *
 * What a region may be is decided when it is registered. It is a plain file in /dev/shm, opened
 * without following a link, so that no key leads anywhere else. Only `admin` registers, because the
 * node may open objects that the client could not; only callers of the same tenant use a region,
 * and the region of another tenant is as unknown as one that does not exist. A node that other
 * machines can reach has none.
 *
 * The node copies: it reads and writes the file instead of mapping it, so that a client can neither
 * change a tensor after it was checked nor end the node by making the object smaller.
 */
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { SkeinError } from '@skein/api';
import { isLoopback } from '@skein/http';
import { brief, invalidRequest } from '../../brief.ts';

const FOLDER = '/dev/shm';
/** The form that `shm_open` takes: one name, with or without the slash before it. */
const KEY = /^\/?(?!\.{1,2}$)[\w.:-]{1,200}$/;
const MAX_NAME = 200;
/** Each holds an open file. */
const MAX_REGIONS = 1024;

export interface Region {
  readonly name: string;
  readonly key: string;
  /** Where it begins in its object, in bytes. */
  readonly offset: number;
  readonly byteSize: number;
}

/** The part of a region that holds one tensor, in bytes. */
export interface SharedSlice {
  readonly region: string;
  readonly offset: number;
  readonly byteSize: number;
}

export interface SharedRegions {
  /** @throws SkeinError SHARED_MEMORY_UNAVAILABLE, REQUEST_INVALID. */
  register(tenant: string, region: Region): Promise<void>;
  /** Idempotent. @param name default: every region of the tenant. */
  unregister(tenant: string, name?: string): Promise<void>;
  /** @param name default: every region of the tenant. @throws SkeinError REGION_UNKNOWN. */
  list(tenant: string, name?: string): readonly Region[];
  /** @throws SkeinError REGION_UNKNOWN, REQUEST_INVALID. */
  read(tenant: string, slice: SharedSlice): Promise<Uint8Array>;
  /** @param bytes at most `slice.byteSize`. @throws SkeinError as `read` does. */
  write(tenant: string, slice: SharedSlice, bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

interface OpenRegion extends Region {
  readonly file: FileHandle;
}

/** @param host where the node listens. */
export function createSharedRegions(host: string): SharedRegions {
  const byTenant = new Map<string, Map<string, OpenRegion>>();
  let count = 0;

  const of = (tenant: string): Map<string, OpenRegion> => byTenant.get(tenant) ?? new Map();
  function find(tenant: string, name: string): OpenRegion {
    const region = of(tenant).get(name);
    if (region !== undefined) return region;
    const message = `There is no shared memory region ${brief(name)}.`;
    throw new SkeinError('REGION_UNKNOWN', message);
  }
  /** @returns where the slice begins in the object. */
  function placeOf(region: OpenRegion, { offset, byteSize }: SharedSlice): number {
    if (offset + byteSize <= region.byteSize) return region.offset + offset;
    throw invalid(
      `Bytes ${offset} to ${offset + byteSize} are beyond the region ${brief(region.name)} of ${region.byteSize} bytes`,
    );
  }

  return {
    async register(tenant, region) {
      refuseElsewhere(host);
      const { name, key } = region;
      if (name.length > MAX_NAME || !KEY.test(key)) {
        throw invalid(
          `The region ${brief(name)} needs a name of at most ${MAX_NAME} characters and the key of an object in ${FOLDER}, such as "/input", but its key is ${brief(key)}`,
        );
      }
      if (of(tenant).has(name)) throw invalid(`The region ${brief(name)} is registered already`);
      if (count >= MAX_REGIONS) throw invalid(`The node has ${MAX_REGIONS} regions, its limit`);
      count++;
      try {
        const file = await openObject(region);
        // Another registration may have been faster.
        if (of(tenant).has(name)) {
          await file.close();
          throw invalid(`The region ${brief(name)} is registered already`);
        }
        byTenant.set(tenant, of(tenant).set(name, { ...region, file }));
      } catch (error) {
        count--;
        throw error;
      }
    },

    async unregister(tenant, name) {
      const regions = of(tenant);
      // A map may lose entries while it is read.
      for (const region of regions.values()) {
        if (name !== undefined && region.name !== name) continue;
        regions.delete(region.name);
        count--;
        await region.file.close();
      }
    },

    list(tenant, name) {
      const regions = name === undefined ? of(tenant).values() : [find(tenant, name)];
      return Array.from(regions, ({ name: own, key, offset, byteSize }) => ({
        name: own,
        key,
        offset,
        byteSize,
      }));
    },

    async read(tenant, slice) {
      const region = find(tenant, slice.region);
      const from = placeOf(region, slice);
      const bytes = new Uint8Array(slice.byteSize);
      let at = 0;
      while (at < bytes.length) {
        const { bytesRead } = await region.file
          .read(bytes, at, bytes.length - at, from + at)
          .catch(unusable(region));
        if (bytesRead === 0) throw shrunk(region);
        at += bytesRead;
      }
      return bytes;
    },

    async write(tenant, slice, bytes) {
      const region = find(tenant, slice.region);
      const from = placeOf(region, slice);
      // A write behind the end would make the object larger.
      const { size } = await region.file.stat().catch(unusable(region));
      if (from + bytes.length > size) throw shrunk(region);
      for (let at = 0; at < bytes.length;) {
        const { bytesWritten } = await region.file
          .write(bytes, at, bytes.length - at, from + at)
          .catch(unusable(region));
        at += bytesWritten;
      }
    },

    async close() {
      const files = [...byTenant.values()].flatMap((regions) => [...regions.values()]);
      byTenant.clear();
      await Promise.all(files.map(({ file }) => file.close()));
    },
  };
}

/** @throws SkeinError SHARED_MEMORY_UNAVAILABLE where other machines reach the node. */
function refuseElsewhere(host: string): void {
  if (isLoopback(host)) return;
  throw new SkeinError(
    'SHARED_MEMORY_UNAVAILABLE',
    `The node listens on ${host}; shared memory needs a client on the same machine.`,
  );
}

async function openObject({ name, key, offset, byteSize }: Region): Promise<FileHandle> {
  const path = `${FOLDER}/${key.replace(/^\//, '')}`;
  let file: FileHandle;
  try {
    // Without a link behind the name, and without waiting for the other end of a pipe.
    file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw invalid(`The object ${brief(key)} of region ${brief(name)} cannot be opened (${code})`);
  }
  const stat = await file.stat();
  if (stat.isFile() && offset + byteSize <= stat.size) return file;
  await file.close();
  throw invalid(
    stat.isFile()
      ? `The region ${brief(name)} ends at byte ${offset + byteSize}, but its object has ${stat.size} bytes`
      : `The object ${brief(key)} of region ${brief(name)} is not shared memory`,
  );
}

function shrunk({ name }: Region): SkeinError {
  return invalid(`The object of region ${brief(name)} has become smaller than the region`);
}

/** Another call may remove the region meanwhile, and a sparse object may find no memory left. */
function unusable({ name }: Region): (error: NodeJS.ErrnoException) => never {
  return ({ code = 'unknown' }) => {
    throw invalid(
      code === 'EBADF'
        ? `The region ${brief(name)} was unregistered during the request`
        : `The region ${brief(name)} cannot be used (${code})`,
    );
  };
}

function invalid(what: string): SkeinError {
  return invalidRequest(`${what}.`);
}

/** CUDA's handles are memory of a GPU, which the node does not share. */
export function refuseCuda(name: string): SkeinError {
  return new SkeinError(
    'SHARED_MEMORY_UNAVAILABLE',
    `The region ${brief(name)} is CUDA shared memory, which the node does not offer.`,
  );
}

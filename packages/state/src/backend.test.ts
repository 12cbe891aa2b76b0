import { expect, it } from 'vitest';
import { backendOf } from './backend.ts';

const BACKENDS = {
  folder: { schemes: [] },
  bucket: { schemes: ['s3:'] },
  server: { schemes: ['redis://', 'rediss://'] },
};

it.each([
  ['s3://bucket/prefix', 'bucket'],
  ['s3:bucket', 'bucket'],
  ['rediss://host', 'server'],
  ['/srv/skein', 'folder'],
  ['shared', 'folder'],
  [':memory:', 'folder'],
  ['C:\\skein', 'folder'],
] as const)('finds the backend of %s', (address, name) => {
  expect(backendOf(BACKENDS, address)).toBe(BACKENDS[name]);
});

it('takes no unknown scheme for a folder of that name, and repeats no password', () => {
  const take = () => backendOf(BACKENDS, 'gs://key:secret@bucket');
  expect(take).toThrow(/gs:\/\/ names no store: it must begin with s3: or redis:\/\/ or rediss/);
  expect(take).not.toThrow(/secret/);
});

it('takes no path where the address must be one of the network', () => {
  expect(backendOf(BACKENDS, 'redis://host', 'network')).toBe(BACKENDS.server);
  for (const path of ['jobs.db', 'localhost:6379', '/jobs.db']) {
    expect(() => backendOf(BACKENDS, path, 'network'), path).toThrow(
      expect.objectContaining({ code: 'USAGE' }),
    );
  }
});

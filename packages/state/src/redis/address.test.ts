/** Errors for addresses of Redis that name no server or no database. */
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { startRedis } from '../../../jobs/src/store/testing/redis-server.ts';
import { openFleetState, openState } from '../open-state.ts';

const redis = requireComponent('redis');

it.each([
  ['redis://:secret@127.0.0.1:99999', 'is not of the form redis://HOST:PORT'],
  ['redis://', 'is not of the form redis://HOST:PORT'],
  ['redis:///1', 'is not of the form redis://HOST:PORT'],
  ['redis://:secret@127.0.0.1:6379/staging', '"/staging", which is not the number of a database'],
  ['redis:secret', 'it must begin with redis:// or rediss://'],
  ['secret:6379', 'it must begin with redis:// or rediss://'],
])('refuses %s, and does not repeat the password', async (address, message) => {
  const refused = await openFleetState(address).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'USAGE', message: expect.stringContaining(message) });
  expect((refused as Error).message).not.toContain('secret');
});

it.skipIf(redis.skip)(
  `keeps a database that the server does not have from being database 0 ${redis.reason}`,
  async () => {
    const server = await startRedis();
    onTestFinished(() => server.destroy());
    const client = new Redis(server.url);
    onTestFinished(() => client.disconnect());
    await expect(openState(`${server.url}/99`)).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringMatching(/cannot be used: ERR DB index is out of range\.$/),
    });
    expect(await client.dbsize()).toBe(0);
    const state = await openState(`${server.url}/3`);
    await state.close();
  },
);

import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SkeinError } from '@skein/api/errors';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import type { State } from '../contract.ts';
import {
  code,
  deployment,
  memberInfo,
  modelVersion,
  overEveryState,
} from '../testing/every-state.ts';
import { type FollowedState, followState, type FollowOptions } from './followed-state.ts';
import type { KeyRecord } from '../records.ts';

const key = (id: string): KeyRecord => ({
  id,
  secretHash: 'ab',
  label: 'l',
  tenant: 't',
  scopes: ['infer'],
  createdAt: new Date(0).toISOString(),
});

overEveryState(
  'the state of a fleet that a node follows',
  (at) => {
    let folder: string;
    let opened: FollowedState[];
    let isAway: boolean;
    const log = vi.fn<FollowOptions['log']>();

    beforeEach(async () => {
      folder = testFolder();
      opened = [];
      isAway = false;
      log.mockClear();
    });
    afterEach(() => Promise.all(opened.map(({ state }) => state.close())));

    const file = (): string => join(folder, 'known.json');
    async function follow(
      store: () => Promise<State> = () => at.another(),
    ): Promise<FollowedState> {
      const open = async (): Promise<State> => {
        if (isAway) throw away();
        return leaving(await store());
      };
      const followed = await followState({ open, file: file(), log, compareMs: 3_600_000 });
      opened.push(followed);
      return followed;
    }
    /** A store whose answers are lost while `isAway`. */
    function leaving(store: State): State {
      return new Proxy(store, {
        get(target, name: keyof State) {
          const found = target[name];
          if (typeof found !== 'function' || name === 'changes' || name === 'close') return found;
          return async (...args: never[]) => {
            if (isAway) throw away();
            return (found as (...args: never[]) => unknown)(...args);
          };
        },
      });
    }
    const away = () => new SkeinError('STORE_UNREACHABLE', 'Nothing answers.');
    const standing = (followed: FollowedState, state: string) =>
      vi.waitFor(() => expect(followed.standing().state).toBe(state), 8000);

    it('follows what others write', async () => {
      const followed = await follow();
      const changes: string[] = [];
      followed.subscribe(({ deployments, keys }) => {
        if (deployments) changes.push('deployments');
        if (keys) changes.push('keys');
      });
      await at.state.addVersion(modelVersion('risk', 1));
      const row = await at.state.putDeployment(deployment('risk'), 0);
      await at.state.addKey(key('k'));
      await vi.waitFor(() => {
        expect(followed.known().deployments.get('risk')).toMatchObject({
          row,
          versions: [{ model: 'risk', version: '1' }],
        });
        expect(followed.known().keys.get('k')).toMatchObject({ tenant: 't' });
      });
      await at.state.revokeKey('k', 'now');
      await at.state.removeDeployment('risk');
      await vi.waitFor(() => {
        expect(followed.known().keys.get('k')?.revokedAt).toBe('now');
        expect(followed.known().deployments.size).toBe(0);
        expect(followed.known().removed.get('risk')).toBe(2);
      });
      await at.state.removeKeys(['k']);
      await vi.waitFor(() => expect(followed.known().keys.size).toBe(0));
      expect(followed.standing()).toEqual({ state: 'current' });
      expect(new Set(changes)).toEqual(new Set(['deployments', 'keys']));
    });

    it('has its own writes when they are acknowledged', async () => {
      const { state, known } = await follow();
      await state.addVersion(modelVersion('risk', 1));
      for (let revision = 1; revision < 20; revision += 2) {
        await state.putDeployment(deployment('risk'), revision === 1 ? 0 : revision - 1);
        expect(known().deployments.get('risk')?.row.revision).toBe(revision);
        await state.putDeployment(deployment('risk'), revision);
        expect(known().deployments.get('risk')?.row.revision).toBe(revision + 1);
      }
      await state.removeDeployment('risk');
      expect(known().deployments.has('risk')).toBe(false);
      await state.addKey(key('k'));
      await state.revokeKey('k', 'now');
      expect(known().keys.get('k')?.revokedAt).toBe('now');
      await state.removeKeys(['k']);
      expect(known().keys.size).toBe(0);
    });

    it('serves from its copy while the store is away, refuses changes, and continues', async () => {
      await at.state.addKey(key('k'));
      const followed = await follow();
      isAway = true;
      await standing(followed, 'away');
      const written: Promise<void>[] = [];
      followed.subscribe(({ current }) => {
        // A change that waited for the store can be written when this is called.
        if (current) written.push(followed.state.addKey(key('waited')));
      });
      expect([...followed.known().keys.keys()]).toEqual(['k']);
      expect(await followed.state.keys()).toHaveLength(1);
      expect(() => followed.mayChange()).toThrow(/store of the fleet is away/);
      await expect(followed.state.addKey(key('other'))).rejects.toEqual(code('STORE_UNREACHABLE'));
      await at.state.addKey(key('later'));
      isAway = false;
      await vi.waitFor(() => expect(followed.known().keys.has('later')).toBe(true), 8000);
      expect(followed.standing()).toEqual({ state: 'current' });
      expect(() => followed.mayChange()).not.toThrow();
      await Promise.all(written);
      expect(written).toHaveLength(1);
      expect(followed.known().keys.has('waited')).toBe(true);
      const levels = log.mock.calls.map(([level]) => level);
      expect(levels).toEqual(['warn', 'info']);
    });

    it('starts from its file while the store is away; without one it does not start', async () => {
      isAway = true;
      await expect(follow()).rejects.toEqual(code('STORE_UNREACHABLE'));
      isAway = false;
      await at.state.addKey(key('k'));
      const first = await follow();
      await first.state.close();
      opened = [];
      expect((await stat(file())).mode & 0o777).toBe(0o600);
      expect(await readdir(folder)).toEqual(['known.json']);
      isAway = true;
      const next = await follow();
      expect(next.standing().state).toBe('away');
      expect([...next.known().keys.keys()]).toEqual(['k']);
      isAway = false;
      await standing(next, 'current');
    });

    it('is frozen by a store that contradicts it, until the operator adopts that', async () => {
      await at.state.addVersion(modelVersion('risk', 1));
      await at.state.putDeployment(deployment('risk'), 0);
      await at.state.addKey(key('k'));
      await at.state.addKey(key('r'));
      const first = await follow();
      await first.state.close();
      opened = [];
      // The file remembers a store with another epoch, in which one more key was revoked.
      const stored = (await readFile(file(), 'utf8'))
        .replace(/"epoch":"[^"]*"/, '"epoch":"lost"')
        .replace('"id":"r"', '"id":"r","revokedAt":"before"');
      await rm(file());
      await writeFile(file(), stored);
      await at.state.revokeKey('k', 'now');

      const next = await follow();
      expect(next.standing()).toMatchObject({
        state: 'frozen',
        reason: expect.stringContaining('epoch'),
      });
      expect(next.known().keys.get('k')?.revokedAt).toBeUndefined();
      await expect(next.state.putDeployment(deployment('risk'), 1)).rejects.toEqual(
        code('STORE_REPLACED'),
      );
      expect(() => next.mayChange()).toThrow(/epoch/);
      expect(log.mock.calls.at(-1)?.[0]).toBe('error');
      const own = await next.state.members.join(memberInfo('a'), 60_000);
      await next.adopt();
      expect(next.standing()).toEqual({ state: 'current' });
      expect(next.known().keys.get('k')?.revokedAt).toBe('now');
      expect(next.known().keys.get('r')?.revokedAt).toBe('before');
      expect((await at.state.keys()).find(({ id }) => id === 'r')?.revokedAt).toBe('before');
      // It was leased over a connection that is closed.
      expect(await own.renew(memberInfo('a'))).toBe(false);
      await own.leave();
      await next.state.addKey(key('new'));
    });

    it('is not away when an adoption closes what was still read', async () => {
      const { state } = await follow();
      await state.close();
      opened = [];
      const stored = await readFile(file(), 'utf8');
      await writeFile(file(), stored.replace(/"epoch":"[^"]*"/, '"epoch":"lost"'));
      const isFrozen = (): boolean => log.mock.calls.some(([level]) => level === 'error');
      const stores: State[] = [];

      const next = await follow(async () => {
        const store = await at.another();
        stores.push(store);
        return stores.length === 1 ? stalling(store, isFrozen) : store;
      });
      expect(next.standing().state).toBe('frozen');
      await next.adopt();
      await next.state.addKey(key('new'));
      expect(next.standing()).toEqual({ state: 'current' });
    });
    /** A store whose calls are answered by its end alone, once it stalls. */
    function stalling(store: State, stalls: () => boolean): State {
      const ended = Promise.withResolvers<never>();
      ended.promise.catch(() => {});
      return new Proxy(store, {
        get(target, name: keyof State) {
          const found = target[name];
          if (typeof found !== 'function') return found;
          if (name === 'close') ended.reject(away());
          return (...args: never[]) =>
            stalls() && name !== 'close'
              ? ended.promise
              : (found as (...args: never[]) => unknown).apply(target, args);
        },
      });
    }
  },
  "the test's",
);

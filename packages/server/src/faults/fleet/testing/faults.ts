/** Faults of a fleet, one for each round. A line for each kind of fault. */
import { cp, rename, rm } from 'node:fs/promises';
import type { Scene, Site } from './scene.ts';
import { is, until } from './settled.ts';
import { ask } from './traffic.ts';

/** The target of a fault, and its strength. */
export interface Aim {
  readonly target: Site;
  readonly other: Site;
  /** From 0 to 1. */
  readonly strength: number;
}

export interface Fault {
  begin(scene: Scene, aim: Aim): void | Promise<void>;
  end(scene: Scene, aim: Aim): void | Promise<void>;
  /** Its callers lose their connections. */
  readonly kills?: true;
  /** It answers nothing meanwhile. */
  readonly stops?: true;
  /** A member that the store has given up, or that contradicts the store, continues with its last share of a limit. */
  readonly parts?: true;
  /** The store is behind what the members know, until they adopt it. */
  readonly rewinds?: true;
  /** A member may have changed an older copy before it froze, and contradicts the right store until it adopts it. */
  readonly strays?: true;
}

const heal = ({ network }: Scene): void => network.heal();
const apart = ({ network }: Scene, a: number, b: number): void => {
  network.drop(a, b);
  network.drop(b, a);
};
const rightOf = ({ redis }: Scene): string => `${redis.folder}-right`;
const copyOf = ({ redis }: Scene): string => `${redis.folder}-copy`;

async function exchange(scene: Scene): Promise<void> {
  const { redis } = scene;
  await redis.kill();
  await rm(redis.folder, { recursive: true });
  await rename(copyOf(scene), redis.folder);
  await redis.start();
}

export const FAULTS = {
  'kill -9': {
    kills: true,
    begin: (_, { target }) => target.kill(),
    end: (_, { target }) => target.start(),
  },
  'partition of two members': {
    begin: (scene, { target, other }) => apart(scene, target.site, other.site),
    end: heal,
  },
  'partition in one direction': {
    begin: ({ network }, { target, other }) => network.drop(target.site, other.site),
    end: heal,
  },
  'member without the store': {
    parts: true,
    begin: (scene, { target }) => apart(scene, target.site, scene.store),
    end: heal,
  },
  'member alone': {
    parts: true,
    begin(scene, { target }) {
      for (const { site } of scene.sites) if (site !== target.site) apart(scene, target.site, site);
      apart(scene, target.site, scene.store);
    },
    end: heal,
  },
  'restart of the store': {
    begin: ({ redis }) => redis.kill(),
    end: ({ redis }) => redis.start(),
  },
  'lost store, brought back': {
    async begin(scene) {
      const { redis } = scene;
      await redis.kill();
      await cp(redis.folder, copyOf(scene), { recursive: true });
      await rm(redis.folder, { recursive: true });
      await cp(copyOf(scene), redis.folder, {
        recursive: true,
        filter: (file) => !file.includes('appendonly'),
      });
      await redis.start();
    },
    end: exchange,
  },
  'lost store, an older copy before the right one': {
    parts: true,
    strays: true,
    async begin(scene, { other }) {
      const { redis } = scene;
      await redis.kill();
      await cp(redis.folder, copyOf(scene), { recursive: true });
      await redis.start();
      // The copy lacks a change that every member has seen.
      const given = { label: 'newer', tenant: 't', scopes: ['infer' as const] };
      let secret = '';
      await until('a change after the copy', async () => {
        ({ secret } = await other.client.createKey(given));
        return true;
      });
      for (const site of scene.sites) {
        await until(`the change at member ${site.site}`, async () =>
          is(await ask(site, 'spread', secret), 'answered'),
        );
      }
      await redis.kill();
      await rename(redis.folder, rightOf(scene));
      await rename(copyOf(scene), redis.folder);
      await redis.start();
    },
    async end(scene) {
      const { redis } = scene;
      await redis.kill();
      await rm(redis.folder, { recursive: true });
      await rename(rightOf(scene), redis.folder);
      await redis.start();
    },
  },
  'lost store, an older copy adopted': {
    parts: true,
    rewinds: true,
    async begin(scene) {
      await scene.redis.kill();
      await cp(scene.redis.folder, copyOf(scene), { recursive: true });
      await scene.redis.start();
    },
    end: exchange,
  },
  'narrow link': {
    begin: ({ network }, { target, strength }) =>
      network.narrow(target.site, Math.round(256 - 192 * strength)),
    end: heal,
  },
  'slow link': {
    begin: ({ proxies }, { strength }) => void (proxies.peers.delayMs = 50 + 950 * strength),
    end: ({ proxies }) => void (proxies.peers.delayMs = 0),
  },
  'slow store': {
    parts: true,
    begin: ({ proxies }, { strength }) => void (proxies.store.delayMs = 50 + 1450 * strength),
    end: ({ proxies }) => void (proxies.store.delayMs = 0),
  },
  'clock of a member': {
    begin: (_, { target, strength }) => target.setClock(Math.round((strength - 0.5) * 172_800_000)),
    end: (_, { target }) => target.setClock(0),
  },
  'paused member': {
    stops: true,
    parts: true,
    begin: (_, { target }) => void process.kill(target.node.pid, 'SIGSTOP'),
    end: (_, { target }) => void process.kill(target.node.pid, 'SIGCONT'),
  },
} as const satisfies Record<string, Fault>;

export type FaultKind = keyof typeof FAULTS;

/** Tests of this driver alone: what the guest sees of the host, and its user. */
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import type { SandboxDriver, SandboxSession, SessionOptions } from '../contract.ts';
import { createBubblewrap } from './bubblewrap.ts';
import { explainFailure } from './unavailable.ts';

const OPTIONS: SessionOptions = {
  mounts: [],
  limits: {
    wallMs: 60_000,
    memoryBytes: 1 << 26,
    pids: 20,
    outputBytes: 1 << 20,
    fileBytes: 1 << 20,
    diskBytes: 1 << 22,
  },
  network: 'none',
  untrusted: true,
};

function isBelow(pid: string): boolean {
  if (pid === String(process.pid)) return true;
  const [, parent = '0'] =
    /^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
  return parent !== '0' && isBelow(parent);
}

/** Processes below this one in a network of their own, and what is in their root folders. */
function namespaces(): { readonly pid: string; readonly roots: readonly string[] }[] {
  const own = readlinkSync('/proc/self/ns/net');
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        if (readlinkSync(`/proc/${pid}/ns/net`) === own || !isBelow(pid)) return [];
        return [{ pid, roots: readdirSync(`/proc/${pid}/root`) }];
      } catch {
        // It has ended, or is another user's.
        return [];
      }
    });
}

describe.skipIf(requireComponent('bubblewrap').skip)('a guest of bubblewrap', () => {
  let driver: SandboxDriver;
  let session: SandboxSession;
  const folder = testFolder();

  beforeAll(async () => {
    driver = createBubblewrap();
    session = await driver.open(OPTIONS);
  }, 60_000);
  afterAll(async () => {
    await driver.close();
  }, 60_000);

  const sh = async (script: string, where = session): Promise<string> => {
    const { stdout, stderr } = await where.run({
      argv: ['sh', '-c', script],
      workspace: 'writable',
    });
    return Buffer.concat([stdout, stderr]).toString();
  };

  test('the network of a list of addresses is held without the mounts of the host, which may end meanwhile', async () => {
    const before = namespaces();
    const listed = await driver.open({ ...OPTIONS, network: { allow: ['example.org:443'] } });
    const held = namespaces().filter(({ pid }) => !before.some((other) => other.pid === pid));
    expect(held).not.toEqual([]);
    for (const { roots } of held) {
      expect(roots).toContain('usr');
      expect(roots.filter((name) => ['root', 'home', 'var', 'tmp'].includes(name))).toEqual([]);
    }
    await listed.close();
  });

  test('a driver that is closed during its probe ends it, and nothing of it is remembered', async () => {
    const name = 'skein:sandbox:bubblewrap';
    const found = getEnvironmentData(name);
    setEnvironmentData(name, undefined);
    const closing = createBubblewrap();
    const asked = closing.availability();
    await closing.close();
    expect((await asked).available).toBe(false);
    expect(getEnvironmentData(name)).toBeUndefined();
    setEnvironmentData(name, found);
  });

  test('runs as an unprivileged user, without a capability, behind a filter', async () => {
    const status = await sh('id -u; id -g; id -G; cat /proc/self/status');
    expect(status).toMatch(/^65534\n65534\n65534\n/);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
      expect(status).toMatch(new RegExp(`^${set}:\\t0+$`, 'm'));
    }
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(/^Seccomp:\t2$/m);
  });

  test.runIf(process.getuid?.() === 0)(
    'has a user id that no user of the host has, another one in each session',
    async () => {
      const other = await driver.open(OPTIONS);
      const uids = await Promise.all([session, other].map(uidOutside));
      expect(Math.min(...uids)).toBeGreaterThan(1_000_000_000);
      expect(uids[0]).not.toBe(uids[1]);
      await other.close();
    },
  );

  test('sees its own name spaces', async () => {
    expect(await sh('echo $$; ls /proc | grep -c "^[0-9]"')).toMatch(/^2\n[1-6]\n$/);
    expect(await sh('cat /proc/net/dev | tail -n +3 | cut -d: -f1')).toBe('    lo\n');
    expect(await sh('hostname')).toBe('sandbox\n');
    expect(await sh('cat /proc/self/cgroup | cut -d: -f3 | sort -u')).toBe('/\n');
    expect(await sh('cat /proc/keys /proc/kallsyms /proc/interrupts 2>/dev/null')).toBe('');
  });

  test('inherits no descriptor of the node', async () => {
    const open = await sh('ls -l /proc/self/fd | tail -n +2 | grep -v " /proc/"');
    for (const line of open.trim().split('\n')) {
      expect(line).toMatch(/ [0-2] -> pipe:/);
    }
  });

  test('sees the programs of the host and no other files', async () => {
    expect(await sh('ls -A /')).toBe(
      'bin\ndev\netc\nlib\nlib64\nproc\nsbin\ntmp\nusr\nworkspace\n',
    );
    expect(
      await sh('ls /etc/shadow /etc/ssh /etc/machine-id /root /home /var /run /sys 2>/dev/null'),
    ).toBe('');
    const rows = (await sh('cat /etc/passwd')).split('\n').map((row) => row.split(':'));
    expect(rows).toEqual([
      ['root', 'x', '0', '0', 'root', '/', '/sbin/nologin'],
      ['nobody', 'x', '65534', '65534', 'nobody', '/tmp', '/bin/sh'],
      [''],
    ]);
  });

  test.runIf(process.getuid?.() === 0)(
    'does not see the data of the node, not even where the programs of the host are',
    async () => {
      const data = mkdtempSync('/usr/share/skein-data-');
      // One folder may lie in another, and one may not be there yet.
      const careful = createBubblewrap({
        hidden: [data, join(data, 'blobs'), `${data}.zip`, '/usr/share/skein-no-such-data'],
      });
      try {
        writeFileSync(join(data, 'jobs.db'), 'secret');
        mkdirSync(join(data, 'blobs'));
        writeFileSync(`${data}.zip`, 'secret');
        chmodSync(data, 0o755);
        expect(await sh(`cat ${data}/jobs.db`)).toBe('secret');
        const inside = await careful.open(OPTIONS);
        expect(await sh(`ls -A ${data}; touch ${data}/x 2>/dev/null || echo no`, inside)).toBe(
          'no\n',
        );
        expect(await sh(`cat ${data}.zip 2>/dev/null || echo no`, inside)).toBe('no\n');
      } finally {
        await careful.close();
        rmSync(data, { recursive: true });
        rmSync(`${data}.zip`);
      }
    },
  );

  test('can write to its workspace, to /tmp and to /dev/shm only', async () => {
    const tried =
      'for d in / /dev /etc /usr /usr/bin /proc /proc/acpi /tmp /dev/shm /workspace; do touch $d/x 2>/dev/null && echo $d; done';
    expect(await sh(tried)).toBe('/tmp\n/dev/shm\n/workspace\n');
  });

  test('cannot enter another name space, mount, or change its root', async () => {
    for (const forbidden of [
      'unshare --user true',
      'unshare --mount true',
      'mount -t tmpfs none /tmp',
      'chroot / true',
      'nsenter --target 1 --mount true',
    ]) {
      expect(await sh(`${forbidden} 2>/dev/null || echo no`), forbidden).toBe('no\n');
    }
  });

  test('reads its mounts and cannot write them, also from a folder that only the node can enter', async () => {
    const shut = join(folder, 'shut');
    mkdirSync(join(shut, 'data'), { recursive: true });
    writeFileSync(join(shut, 'data', 'file'), 'content\n');
    writeFileSync(join(shut, 'single file'), 'single\n');
    chmodSync(shut, 0o700);
    const mounts = [
      { source: join(shut, 'data'), target: '/inputs/data' },
      { source: join(shut, 'single file'), target: '/inputs/single' },
    ];
    const with_ = await driver.open({ ...OPTIONS, mounts });
    expect(
      await sh(
        'cat /inputs/data/file /inputs/single; touch /inputs/data/x /inputs/y 2>&1 | grep -c Read-only',
        with_,
      ),
    ).toBe('content\nsingle\n2\n');
    await with_.close();
  });

  test('is refused an invalid mount', async () => {
    const open = async (source: string, target: string): Promise<unknown> =>
      await driver.open({ ...OPTIONS, mounts: [{ source, target }] });
    for (const target of ['/', '/proc/x', '/workspace/in', '/dev', 'relative', '/a/../b']) {
      await expect(open('/usr', target), target).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    }
    await expect(open(join(folder, 'missing'), '/in')).rejects.toThrow(/missing/);
  });

  test('runs in the requested root file system', async () => {
    const image = join(folder, 'image');
    for (const name of ['usr/bin', 'etc', 'data'])
      mkdirSync(join(image, name), { recursive: true });
    for (const name of ['bin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(image, name));
    writeFileSync(join(image, 'etc/os-release'), 'NAME=tiny\n');
    // A static program would do, but few hosts have one: copy the host's libraries.
    const mounts = ['bin', 'lib', 'lib64'].map((name) => ({
      source: `/usr/${name}`,
      target: `/usr/${name}`,
    }));
    for (const { target } of mounts) mkdirSync(join(image, target), { recursive: true });
    const inside = await driver.open({ ...OPTIONS, image, mounts });
    expect(await sh('cat /etc/os-release; ls -A /usr', inside)).toBe(
      'NAME=tiny\nbin\nlib\nlib64\n',
    );
    await inside.put([{ path: 'f', content: Buffer.from('x') }]);
    expect(await sh('cat f', inside)).toBe('x');
    await inside.close();
    await expect(driver.open({ ...OPTIONS, image: folder })).rejects.toMatchObject({
      code: 'SANDBOX_IMAGE_UNKNOWN',
    });
    await expect(driver.open({ ...OPTIONS, image: '/nowhere' })).rejects.toMatchObject({
      code: 'SANDBOX_IMAGE_UNKNOWN',
    });
  });
});

/** The user id that a guest's program has on the host. */
async function uidOutside(session: SandboxSession): Promise<number> {
  const mark = `63.${Math.floor(Math.random() * 1e9)}`;
  const argv = ['sh', '-c', `echo; exec sleep ${mark}`];
  const command = session.start({ argv, workspace: 'writable' });
  await once(command.stdout, 'data');
  let uid: string | undefined;
  // It becomes `sleep` soon after its first output.
  while (uid === undefined) {
    await setImmediate();
    const pid = readdirSync('/proc').find((name) =>
      readIf(`/proc/${name}/cmdline`).startsWith(`sleep\0${mark}`),
    );
    uid = /^Uid:\t(\d+)/m.exec(readIf(`/proc/${pid}/status`))?.[1];
  }
  await command.kill();
  return Number(uid);
}

function readIf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

test('a host that forbids name spaces is explained', () => {
  expect(explainFailure('bwrap: setting up uid map: Permission denied\n')).toMatchObject({
    available: false,
    reason: expect.stringContaining('setting up uid map'),
    fix: expect.any(String),
  });
});

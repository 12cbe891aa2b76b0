/** Files into and out of a workspace, whatever a guest left there. */
import { Buffer } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import { forEachDriver, MEBIBYTE, untilOutput } from '../testing/every-driver.ts';

forEachDriver((here) => {
  const { sh, collected, freezes } = here;

  describe('a workspace', () => {
    test('takes files and gives them back, however they are named', async () => {
      const files = [
        { path: 'plain', content: Buffer.from('1') },
        { path: 'a folder/-rf', content: Buffer.from('2') },
        { path: 'new\nline', content: Buffer.from('3') },
        { path: `${'long/'.repeat(40)}${'n'.repeat(200)}`, content: Buffer.from('4') },
        { path: 'ünïcödé/*?[]', content: Buffer.alloc(3000, 'x') },
        { path: String.raw`back\slash\n/\101`, content: Buffer.from('5') },
        { path: '\\056\\056/up', content: Buffer.from('6') },
      ];
      await here.session.put(files);
      const back = await collected(files.map(({ path }) => path));
      expect([...back]).toEqual(files.map(({ path, content }) => [path, content.toString()]));
      expect((await sh('rm -rf ./*')).exitCode).toBe(0);
    });

    test('has programs that were put executable, and can be put into again', async () => {
      await here.session.put([
        { path: 'tool', content: Buffer.from('#!/bin/sh\necho one\n'), executable: true },
      ]);
      expect((await sh('./tool')).out).toBe('one\n');
      await here.session.put([
        { path: 'tool', content: Buffer.from('#!/bin/sh\necho two\n'), executable: true },
      ]);
      expect((await sh('./tool; rm tool')).out).toBe('two\n');
    });

    test('holds no path that leaves it', async () => {
      for (const path of ['../x', '/x', 'a/../../x', 'a//b', './a', '']) {
        await expect(here.session.put([{ path, content: Buffer.from('') }])).rejects.toMatchObject({
          code: 'REQUEST_INVALID',
        });
        await expect(collected([path])).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
      }
    });

    test('takes no path as a file and as a folder of another file', async () => {
      const files = [
        { path: 'a', content: Buffer.from('file') },
        { path: 'a/b', content: Buffer.from('in a folder') },
      ];
      for (const both of [files, files.toReversed()]) {
        await expect(here.session.put(both)).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
        await sh('rm -rf ./*');
      }
    });

    test('gives out regular files only, and follows no link', async () => {
      await sh(
        'mkdir out; echo real > out/file; ln out/file out/hard; ln -s /etc/passwd out/link; ln -s /etc out/folder; mkfifo out/fifo; ln -s out alias',
      );
      expect(Object.fromEntries(await collected(['out']))).toEqual(
        Object.fromEntries([
          ['out/file', 'real\n'],
          ['out/hard', 'real\n'],
        ]),
      );
      for (const path of ['out/link', 'out/fifo', 'alias', 'alias/file', 'out/folder/passwd']) {
        await expect(collected([path]), path).rejects.toMatchObject({
          code: 'SANDBOX_OUTPUT_MISSING',
        });
      }
      await sh('rm -rf out alias');
    });

    test('accepts files without following links that a guest planted', async () => {
      await sh(
        `mkdir -p real; echo kept > real/kept; ln -s "$PWD/real/kept" file; ln -s real folder; mkfifo pipe`,
      );
      await here.session.put(
        ['file', 'folder/new', 'pipe'].map((path) => ({ path, content: Buffer.from('put') })),
      );
      const { out } = await sh(`cat real/kept file folder/new pipe; ls real; rm -rf ./*`);
      expect(out).toBe('kept\nputputputkept\n');
    });

    test('returns files whose modes forbid reading', async () => {
      await sh('mkdir -p shut/in; echo secret > shut/in/file; chmod 0 shut/in/file shut/in shut');
      expect([...(await collected(['shut']))]).toEqual([['shut/in/file', 'secret\n']]);
      await sh('chmod 700 shut; chmod 700 shut/in; rm -rf shut');
    });

    test('names the outputs that are missing, and those that are too large', async () => {
      await sh('echo here > here; head -c 5000 /dev/zero > big');
      await expect(collected(['here', 'gone', 'no/where'])).rejects.toThrow(/"gone", "no\/where"/);
      await expect(collected(['big'], 4999)).rejects.toMatchObject({
        code: 'SANDBOX_OUTPUT_TOO_LARGE',
      });
      expect((await collected(['big'], 5000)).get('big')).toHaveLength(5000);
      await sh('rm here big');
    });

    test('lets a file be left half read, and the rest unread', async () => {
      await sh(
        'mkdir many; for i in 1 2 3; do head -c 100000 /dev/zero > many/$i; echo $i >> many/$i; done',
      );
      const seen: string[] = [];
      for await (const { path, content } of here.session.collect(['many'], MEBIBYTE)) {
        seen.push(path);
        for await (const _ of content) break;
      }
      expect(seen.toSorted()).toEqual(['many/1', 'many/2', 'many/3']);
      for await (const { path } of here.session.collect(['many'], MEBIBYTE)) {
        seen.push(path);
        break;
      }
      expect(seen).toHaveLength(4);
      await sh('rm -rf many');
    });

    test('is closed to running commands when files are collected', async () => {
      const command = here.session.start({
        argv: ['sh', '-c', 'echo x > f; echo ready; sleep 60'],
        workspace: 'writable',
      });
      await untilOutput(command.stdout, 'ready');
      expect((await collected(['f'])).get('f')).toBe('x\n');
      expect((await command.ended).endedBy).toBe('killed');
      await sh('rm f');
    });

    test.runIf(freezes)('can be kept from being changed', async () => {
      await here.session.put([{ path: 'given', content: Buffer.from('given') }]);
      const { out } = await sh(
        'cat given; for f in given new; do echo x 2>/dev/null > $f || echo no; done; rm given 2>/dev/null || echo no; echo t > /tmp/t && cat /tmp/t',
        { workspace: 'read-only' },
      );
      expect(out).toBe('givenno\nno\nno\nt\n');
      expect((await sh('ls /tmp', { workspace: 'read-only' })).out).toBe('');
      await sh('rm given');
    });
  });
});

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const MODULE = new URL('./huge-pages.ts', import.meta.url).href;
const REQUESTED = 'glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1';
const PROGRAM = `
const { restartWithHugePages } = await import(${JSON.stringify(MODULE)});
restartWithHugePages();
console.log(JSON.stringify([process.env.GLIBC_TUNABLES ?? '', process.argv.slice(2), process.pid]));
`;

async function restarted(given?: string): Promise<[string, string[], number, number]> {
  const { GLIBC_TUNABLES: _, ...rest } = process.env;
  const env = given === undefined ? rest : { ...rest, GLIBC_TUNABLES: given };
  const args = ['--input-type=module', '--eval', PROGRAM, 'a', 'b c'];
  const child = run(process.execPath, args, { env });
  const { stdout } = await child;
  const [tunables, words, pid] = JSON.parse(stdout) as [string, string[], number];
  return [tunables, words, pid, child.child.pid ?? 0];
}

describe.skipIf(process.platform !== 'linux')('a process that asks for huge pages', () => {
  it('starts anew once, under its own id and with its own arguments', async () => {
    const [tunables, given, pid, begun] = await restarted();
    expect(tunables).toBe(REQUESTED);
    expect(given).toEqual(expect.arrayContaining(['b c']));
    expect(pid).toBe(begun);
  });

  it('keeps other tunables, and an explicit setting of huge pages', async () => {
    const [kept] = await restarted('glibc.malloc.check=0');
    expect(kept).toBe(`glibc.malloc.check=0:${REQUESTED}`);
    const [decided] = await restarted('glibc.malloc.hugetlb=0');
    expect(decided).toBe('glibc.malloc.hugetlb=0');
  });
});

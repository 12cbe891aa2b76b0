/** Scripts of a conversion in the first sandbox of this machine, with the machine's Python. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { findPython, type PythonPackage } from './machine-python.ts';
import { pythonInSandbox, type PythonOutcome, type PythonWork } from './python-in-sandbox.ts';

const bubblewrap = requireComponent('bubblewrap');
const JSON_PACKAGE: PythonPackage = { module: 'json', debian: 'python3', pip: 'python' };
const MIB = 2 ** 20;

const context = (lines: string[] = []) => ({
  notes: { step: (text: string) => void lines.push(text), clear: () => undefined } as never,
  signal: new AbortController().signal,
});

async function script(text: string, work: Partial<PythonWork> = {}): Promise<PythonOutcome> {
  const path = join(testFolder(), 'script.py');
  writeFileSync(path, text);
  return pythonInSandbox(context(), {
    python: await findPython({}, [JSON_PACKAGE]),
    packages: [JSON_PACKAGE],
    script: pathToFileURL(path),
    options: {},
    input: Buffer.from('the file'),
    given: 'model.pkl',
    outputs: ['model.onnx'],
    ...work,
  });
}

describe.skipIf(bubblewrap.skip)('a script in a sandbox', () => {
  it('gets its file and its options, and gives the outputs that it was asked for', async () => {
    const { files, stderr, sandbox } = await script(
      `import json, sys
open('model.onnx', 'wb').write(open('input', 'rb').read().upper())
open('rows.json', 'w').write(json.dumps(json.loads(sys.argv[1])['rows']))
open('other', 'w').write('stays')
print('a warning', file=sys.stderr)`,
      { options: { rows: [1, 'zwei'] }, outputs: ['model.onnx', 'rows.json'] },
    );
    const texts = [...files].map(([name, bytes]) => [name, Buffer.from(bytes).toString()]);
    expect(Object.fromEntries(texts)).toEqual({
      'model.onnx': 'THE FILE',
      'rows.json': '[1, "zwei"]',
    });
    expect([stderr, sandbox]).toEqual(['a warning', 'bubblewrap']);
  });

  it.each<[string, string, string, RegExp]>([
    ['loops', 'while True: pass', 'CONVERSION_LIMIT', /"model\.pkl" took longer than 3\.00 s/],
    [
      'allocates',
      'kept = [bytearray(1 << 20) for _ in range(1000)]',
      'CONVERSION_LIMIT',
      /took more than 128 MiB of memory/,
    ],
    [
      'fills its disk',
      "open('big', 'wb').write(b'x' * 1); [open(f'big{n}', 'wb').write(bytes(1 << 20)) for n in range(1000)]",
      'CONVERSION_',
      /memory|No space left/,
    ],
    [
      'prints without end',
      "import sys\nwhile True: sys.stderr.write('x' * 65536)",
      'CONVERSION_LIMIT',
      /printed more than 1\.00 MiB/,
    ],
    ['reads a secret', "open('/etc/shadow').read()", 'CONVERSION_FAILED', /No such file/],
    [
      'opens a connection',
      "import socket; socket.create_connection(('127.0.0.1', 22), 1)",
      'CONVERSION_FAILED',
      /OSError|Error:/,
    ],
    ['crashes', 'import os; os.abort()', 'CONVERSION_FAILED', /ended by SIGABRT/],
    [
      'refuses the file',
      "import sys\nprint('x\\nREFUSED: It holds \\x1b[31mweights only.', file=sys.stderr); sys.exit(3)",
      'CONVERSION_FAILED',
      /^"model\.pkl": It holds \\u001b\[31mweights only\.$/,
    ],
    ['raises', "raise ValueError('of its own')", 'CONVERSION_FAILED', /ValueError: of its own/],
    ['writes nothing', 'pass', 'CONVERSION_FAILED', /no regular file .* "model\.onnx"/],
    [
      'writes a link',
      "import os; os.symlink('/etc/passwd', 'model.onnx')",
      'CONVERSION_FAILED',
      /no regular file .* "model\.onnx"/,
    ],
    ['lacks a package', 'import absent', 'CONVERTER_MISSING', /apt-get install python3/],
  ])('that %s is refused', async (_what, text, code, message) => {
    const limits = { wallMs: 3000, memoryBytes: 128 * MIB };
    await expect(script(text, { limits })).rejects.toMatchObject({
      code: expect.stringContaining(code),
      message: expect.stringMatching(message),
    });
  });

  it('runs with the packages of a virtual environment, wherever it is', async () => {
    const folder = testFolder();
    execFileSync('/usr/bin/python3', ['-m', 'venv', '--without-pip', join(folder, '.venv')]);
    const [version] = execFileSync(join(folder, '.venv/bin/python3'), [
      '-c',
      'import sys; print("python%d.%d" % sys.version_info[:2])',
    ])
      .toString()
      .split('\n');
    const packages = join(folder, '.venv/lib', version!, 'site-packages/own_package');
    mkdirSync(packages);
    writeFileSync(join(packages, '__init__.py'), "TEXT = 'of the environment'");
    const own: PythonPackage = { module: 'own_package', debian: undefined, pip: 'own-package' };
    const python = await findPython({ VIRTUAL_ENV: join(folder, '.venv') }, [own], ['absent']);
    expect([...python.modules]).toEqual(['own_package']);
    const { files } = await script(
      "import own_package; open('model.onnx', 'w').write(own_package.TEXT)",
      { python },
    );
    expect(Buffer.from(files.get('model.onnx')!).toString()).toBe('of the environment');
  });
});

describe('findPython', () => {
  it('names the packages that no Python has, and how they are installed', async () => {
    const absent: PythonPackage = { module: 'absent', debian: 'python3-absent', pip: 'absent' };
    await expect(findPython({ PATH: '/usr/bin' }, [JSON_PACKAGE, absent])).rejects.toMatchObject({
      code: 'CONVERTER_MISSING',
      message: expect.stringMatching(
        /has json and absent\. `apt-get install python3 python3-absent` or `python3 -m pip install python absent` installs them\./,
      ),
    });
  });
});

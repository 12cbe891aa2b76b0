/**
 * The hostile corpus of requests, next to the corpus of programs: jobs that the holder of a key asks for,
 * and how each must end. A request may be refused when it arrives, when its scope is checked, or by
 * the driver that should run it; none may get further than its entry allows.
 */
import type { NewJobInput } from '@skein/api';

type Work = Extract<NewJobInput['work'], { kind: 'command' }>;

export interface HostileRequest {
  readonly what: string;
  /** The scope of the caller's key: `jobs`, or `admin`. */
  readonly scope: 'jobs' | 'admin';
  /** The requested job; it may have fields that no job has. */
  readonly work: Readonly<Record<string, unknown>>;
  /** Codes of errors, `refused` when no driver accepts it, or an ending of the command. */
  readonly ends: string;
}

/** Stand for the data folder of the node, a link to the root of the host, and an artifact that exists. */
export const DATA_FOLDER = '/{data}';
export const LINK_TO_ROOT = '/{link}';
export const ARTIFACT = '{artifact}';

const show = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 50)}… of ${text.length}` : text;
};

/** A request for each value of a field. */
function each(
  scope: HostileRequest['scope'],
  field: string,
  ends: string,
  values: readonly unknown[],
  more: Partial<Work> = {},
): HostileRequest[] {
  return values.map((value) => ({
    what: `${field} ${show(value)}`,
    scope,
    work: { ...more, [field]: value },
    ends,
  }));
}

const nested =
  (field: string, wrap: (value: unknown) => unknown) =>
  (scope: HostileRequest['scope'], ends: string, values: readonly unknown[], more = {}) =>
    values.map((value): HostileRequest => ({
      what: `${field} ${show(value)}`,
      scope,
      work: { ...more, [field]: wrap(value) },
      ends,
    }));

const images: readonly HostileRequest[] = [
  ...each('jobs', 'image', 'SCOPE_MISSING', [
    '/',
    '//',
    '/..',
    '/etc',
    '/var/lib/docker',
    '/proc/1/root',
    '/proc/self/cwd',
    '/run',
    '..',
    '../..',
    './x',
    'a/../..',
    'relative/folder',
    '~',
    '$HOME',
    ' ',
    '.',
    '*',
    'debian:13',
    'localhost:5000/x',
    'skein-sandbox:a:b',
    'skein-sandbox:../x',
    `sha256:${'a'.repeat(64)}`,
    'a@sha256:0',
    '/run/docker.sock',
    'unix:///run/docker.sock',
    '-v',
    '--privileged',
    'a b',
    'a:b:c',
    'a\nb',
    'judge\n',
    '‮judge',
    'jüdge',
    'x'.repeat(200),
    DATA_FOLDER,
    LINK_TO_ROOT,
  ]),
  ...each('jobs', 'image', 'REQUEST_INVALID', ['', 'x'.repeat(256), 7, null, ['judge'], {}]),
  ...each('jobs', 'image', 'REQUEST_INVALID', ['a\0b', 'judge\0']),
  ...each('admin', 'image', 'REQUEST_INVALID', ['/a\0b', 'a\0b']),
  ...each('jobs', 'image', 'SANDBOX_IMAGE_UNKNOWN', ['nothing', 'a..b', '_'], {
    sandbox: 'bubblewrap',
  }),
  ...each('jobs', 'image', 'SANDBOX_IMAGE_UNKNOWN', ['nothing', 'a..b', '_'], {
    sandbox: 'docker',
  }),
  ...each(
    'admin',
    'image',
    'SANDBOX_IMAGE_FORBIDDEN',
    ['/', '//', '/..', '/etc', '/var', '/proc/self/root', '/run', DATA_FOLDER, LINK_TO_ROOT],
    { sandbox: 'bubblewrap' },
  ),
  ...each('admin', 'image', 'SANDBOX_IMAGE_UNKNOWN', ['/etc/passwd', '/nowhere', 'a/b'], {
    sandbox: 'bubblewrap',
  }),
  ...each(
    'admin',
    'image',
    'SANDBOX_IMAGE_UNKNOWN',
    ['../containers/x', '-v', 'a b', 'a?b=c', '/', 'nowhere.invalid/x:1', 'a\nb', '%2e%2e/x'],
    { sandbox: 'docker' },
  ),
];

const allow = nested('network', (entry) => ({ allow: Array.isArray(entry) ? entry : [entry] }));
const addresses: readonly HostileRequest[] = [
  ...allow('jobs', 'SANDBOX_UNSUPPORTED', [
    '127.0.0.1:80',
    '127.255.255.254:80',
    'localhost:80',
    'LOCALHOST:80',
    '0.0.0.0:80',
    '10.0.0.1:443',
    '172.16.0.1:22',
    '192.168.1.1:22',
    '100.64.0.1:80',
    '169.254.169.254:80',
    '224.0.0.1:80',
    '255.255.255.255:1',
    '198.51.100.1:80',
    '240.0.0.1:80',
  ]),
  ...allow('jobs', 'REQUEST_INVALID', [
    '',
    'example.org',
    ':80',
    'http://example.org:80',
    '::1:80',
    '[::1]:80',
    'a b:80',
    'a:',
    'a:80 ',
    'a\nb:80',
    'a\0b:80',
    'user@example.org:80',
    '*.example.org:80',
    'bücher.de:80',
    'example.org:0',
    'example.org:65536',
    'example.org:-1',
    'example.org:99999',
    '１２７.0.0.1:80',
    'a:80\u202E',
    '-a:80',
    '.a:80',
    'a/b:80',
    'a%00:80',
    80,
    Array.from({ length: 101 }, (_, index) => `h${index}.example:80`),
  ]),
  // Names pass the address list itself; the proxy resolves them to forbidden addresses.
  ...allow('jobs', 'exit-code', ['127.1:80', '2130706433:80', '0x7f.0.0.1:80', '0177.0.0.1:80'], {
    argv: ['python3', '-c', reachOf('HTTP_PROXY')],
  }),
  ...each('jobs', 'network', 'SCOPE_MISSING', ['host']),
  ...each('jobs', 'network', 'REQUEST_INVALID', ['bridge', 'container:x', '', null, {}]),
];

/**
 * Sends the proxy's only listed address through the variables that the job gets; 9 when it is
 * accepted.
 */
function reachOf(variable: string): string {
  return [
    'import os, socket, sys',
    `at = os.environ["${variable}"].split("//")[1].split(":")`,
    'for target in ("127.1:80", "2130706433:80", "0x7f.0.0.1:80", "0177.0.0.1:80"):',
    '    with socket.create_connection((at[0], int(at[1])), 20) as proxy:',
    '        proxy.sendall(f"CONNECT {target} HTTP/1.1\\r\\n\\r\\n".encode())',
    '        reply = proxy.recv(4096)',
    '        if b" 200 " in reply.split(b"\\r\\n")[0]: sys.exit(0)',
    'sys.exit(9)',
  ].join('\n');
}

const outputs = nested('outputs', (path) => [{ path }]);
const inputs = nested('inputs', (paths) =>
  [paths].flat().map((path) => ({ path, digest: ARTIFACT })),
);
const LEADS_OUT = ['', '/', '/etc/passwd', '..', '../x', 'a/../b', './a', 'a//b', 'a/', 'a\0b'];
const ODD = [
  '-rf',
  '--',
  'a\nb',
  '\u001B]0;x\u0007',
  '\u202Ex',
  'e\u0301',
  '\u00E9',
  ' ',
  '*',
  '`x`',
];
const names: readonly HostileRequest[] = [
  ...outputs('jobs', 'REQUEST_INVALID', [...LEADS_OUT, 'x'.repeat(300), 'x'.repeat(513)]),
  ...outputs('jobs', 'SANDBOX_OUTPUT_MISSING', [...ODD, '$(id)', 'x'.repeat(255)]),
  ...inputs('jobs', 'REQUEST_INVALID', [...LEADS_OUT, 'x'.repeat(513)]),
  ...inputs('jobs', 'succeeded', [...ODD, '$(id)', 'x'.repeat(255), 'ü/ö']),
  ...inputs('jobs', 'REQUEST_INVALID', ['x'.repeat(256), ['a', 'a'], ['a', 'a/b'], ['a/b', 'a']]),
  ...each('jobs', 'checkpoint', 'REQUEST_INVALID', [...LEADS_OUT]),
  ...each('jobs', 'stdin', 'REQUEST_INVALID', ['../../jobs.db', '/etc/passwd', '', 'A'.repeat(64)]),
  ...each('jobs', 'stdin', 'ARTIFACT_CORRUPT', ['0'.repeat(64)]),
];

const words: readonly HostileRequest[] = [
  ...each('jobs', 'argv', 'REQUEST_INVALID', [
    [],
    [''],
    ['a\0b'],
    ['true', 'a\0b'],
    'true',
    [1],
    Array(1001).fill('x'),
    ['true', 'x'.repeat(131073)],
    ['true', ...Array(12).fill('x'.repeat(1e5))],
  ]),
  ...each('jobs', 'argv', 'exit-code', [
    ['--help'],
    ['--bind', '/', '/'],
    ['--'],
    ['-c'],
    ['\n'],
    ['/etc/shadow'],
    ['..'],
    ['sh', '-c', 'exit 7'],
  ]),
  ...each('jobs', 'env', 'REQUEST_INVALID', [
    { '': 'x' },
    { 'A=B': 'x' },
    { 'a b': 'x' },
    { 'a\0': 'x' },
    { A: 'x\0y' },
    { A: 1 },
    { A: 'x'.repeat(131_073) },
    Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`A${at}`, 'x'.repeat(100_000)])),
  ]),
  ...each('jobs', 'env', 'exit-code', [{ PATH: '/nowhere' }], { argv: ['true'] }),
  ...each('jobs', 'env', 'succeeded', [
    { LD_PRELOAD: '/inputs/0/evil.so', LD_LIBRARY_PATH: '/workspace', LD_AUDIT: 'x' },
    { PYTHONPATH: '/workspace', PYTHONSTARTUP: '/workspace/x', BASH_ENV: '/workspace/x' },
    { HTTP_PROXY: 'http://127.0.0.1:1', DOCKER_HOST: 'unix:///run/docker.sock', A: '\n\u001B' },
  ]),
];

const limits = nested('limits', (value) => value);
const NAMES = ['cpuMs', 'wallMs', 'memoryBytes', 'pids', 'outputBytes', 'fileBytes', 'diskBytes'];
const bounds: readonly HostileRequest[] = [
  ...limits('jobs', 'REQUEST_INVALID', [
    ...NAMES.flatMap((name) =>
      [-1, 0.5, 2 ** 63, 1e308, Number.NaN, Infinity, '5', null].map((value) => ({
        [name]: value,
      })),
    ),
    ...['cpuMs', 'wallMs', 'memoryBytes', 'pids', 'cores'].map((name) => ({ [name]: 0 })),
    ...['outputBytes', 'fileBytes', 'diskBytes'].map((name) => ({ [name]: 0 })),
    { cores: -1 },
    { cores: Number.NaN },
    { cores: 4097 },
    { cores: 4 },
    { pids: 4097 },
    { memoryBytes: 2 ** 40 },
    { nice: -20 },
    { swapBytes: 1 },
  ]),
];

const drivers: readonly HostileRequest[] = [
  ...each('jobs', 'sandbox', 'SCOPE_MISSING', ['process']),
  ...each('jobs', 'sandbox', 'REQUEST_INVALID', [
    '',
    'Docker',
    'bubblewrap\0',
    '../process',
    'none',
  ]),
  ...each('jobs', 'trusted', 'SCOPE_MISSING', [true]),
  ...each('jobs', 'trusted', 'REQUEST_INVALID', ['true', 1]),
  ...[
    'mounts',
    'volumes',
    'binds',
    'privileged',
    'user',
    'capAdd',
    'devices',
    'runtime',
    'cwd',
  ].map((field): HostileRequest => ({
    what: `a field ${field}`,
    scope: 'admin',
    work: { [field]: [{ source: '/', target: '/host' }] },
    ends: 'REQUEST_INVALID',
  })),
];

export const REQUESTS: readonly HostileRequest[] = [
  ...images,
  ...addresses,
  ...names,
  ...words,
  ...bounds,
  ...drivers,
];

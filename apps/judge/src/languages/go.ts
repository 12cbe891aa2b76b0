import { anyEntry, type Language } from './language.ts';

const extensions = ['.go'];

/** Packages that contestants import. */
const PACKAGES =
  'bufio bytes cmp container/heap container/list errors fmt io maps math math/big math/bits math/cmplx math/rand os slices sort strconv strings sync time unicode';
const IMPORTS = PACKAGES.split(' ')
  .map((name) => `_ "${name}"`)
  .join('\n');

export const go: Language = {
  code: 'go',
  name: 'Go',
  extensions,
  toolchain: { probe: ['go', 'version'], debianPackage: 'golang-go' },
  entry: anyEntry(extensions),
  compile: ({ sources }) => ['go', 'build', '-trimpath', '-o', 'program', ...sources],
  run: ({ folder }) => [`${folder}/program`],
  env: {
    GO111MODULE: 'off',
    CGO_ENABLED: '0',
    GOTOOLCHAIN: 'local',
    GOFLAGS: '',
    GOCACHE: '/tmp/go-cache',
  },
  pids: 64,
  grammar: 'go',
  // Without it, the first build in a sandbox compiles the standard library: most of a minute.
  cache: {
    variable: 'GOCACHE',
    target: '/opt/skein/go-cache',
    source: {
      path: 'main.go',
      content: new TextEncoder().encode(`package main\nimport (\n${IMPORTS}\n)\nfunc main() {}\n`),
      executable: false,
    },
    folders: Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0')),
    // When it last cleaned up. Once that is a day ago, a build that cannot write it fails.
    links: { 'trim.txt': '/tmp/go-trim.txt' },
  },
};

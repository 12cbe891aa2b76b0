import { anyEntry, type Language } from './language.ts';

const extensions = ['.go'];

/**
 * Where a cache with the compiled standard library is mounted, when one was prepared; go only reads
 * it. Without one the first build in a sandbox compiles the library, which takes most of a minute.
 */
export const GUEST_GO_CACHE = '/opt/skein/go-cache';

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
};

/** Options of jobs that are trusted, so that the tests do not depend on what sandboxes this machine has. */
export const TRUSTED = ['--trusted', '--sandbox', 'process', '--network', 'host'] as const;

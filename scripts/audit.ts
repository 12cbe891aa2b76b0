/**
 * Checks the packages that users get against the registry's advisories. Exits 1 for one that is high or
 * critical, and 75 with the reason where the registry answers no such question, as mirrors do: that
 * is neither a pass nor a failure.
 */
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';

interface Report {
  readonly message?: string;
  readonly vulnerabilities?: Readonly<
    Record<string, { readonly name: string; readonly severity: string; readonly range: string }>
  >;
}

const SKIPPED = 75;

const { stdout, stderr, error } = spawnSync('npm', ['audit', '--omit=dev', '--json'], {
  cwd: dirname(import.meta.dirname),
  encoding: 'utf8',
  shell: process.platform === 'win32',
});
const { vulnerabilities, message = error?.message ?? stderr.trim() } = parse(stdout);
if (vulnerabilities === undefined) {
  console.log(`The registry answers no audit: ${message}`);
  process.exit(SKIPPED);
}
const found = Object.values(vulnerabilities);
for (const { name, severity, range } of found) console.log(`${severity}: ${name} ${range}`);
const serious = found.filter(({ severity }) => severity === 'high' || severity === 'critical');
console.log(`${found.length} packages with advisories, ${serious.length} high or critical`);
process.exit(serious.length > 0 ? 1 : 0);

function parse(text: string): Report {
  try {
    return JSON.parse(text) as Report;
  } catch {
    return {};
  }
}

/** Findings as files: saved under `.fuzz/`, and made smaller with `--shrink`. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { openTarget } from '../targets.ts';
import { signatureOf, type Finding } from './messages.ts';
import { replayInputs } from './supervisor.ts';

/** Milliseconds that shrinking may take. */
const SHRINKING_MS = 120_000;

/** @returns the path, relative to the working folder. */
export function saveFinding(target: string, { kind, input }: Finding): string {
  const bytes = Buffer.from(input, 'base64');
  const folder = `.fuzz/${target}`;
  mkdirSync(folder, { recursive: true });
  const path = `${folder}/${kind}-${createHash('sha256').update(bytes).digest('hex').slice(0, 8)}`;
  writeFileSync(path, bytes);
  return path;
}

/** The smallest input with a finding of the same kind and message within the time limit. */
export async function shrinkInput(
  target: string,
  finding: Finding,
): Promise<readonly [path: string, bytes: number]> {
  const { structure, close } = await openTarget(target);
  const deadline = performance.now() + SHRINKING_MS;
  let smallest = finding;
  for (let found = true; found && performance.now() < deadline;) {
    found = false;
    const size = Buffer.from(smallest.input, 'base64').length;
    for (const candidate of structure.shrink(Buffer.from(smallest.input, 'base64'))) {
      if (performance.now() > deadline) break;
      if (candidate.length >= size) continue;
      const path = saveFinding(target, {
        ...finding,
        input: Buffer.from(candidate).toString('base64'),
      });
      const [again] = await replayInputs(target, [path]);
      if (again === undefined || signatureOf(again) !== signatureOf(finding)) continue;
      smallest = again;
      found = true;
      break;
    }
  }
  await close?.();
  return [saveFinding(target, smallest), Buffer.from(smallest.input, 'base64').length];
}

/**
 * `npm run fuzz -- TARGET|all [--inputs N] [--seed S] [--seconds T] [--json]`: passes mutated
 * inputs to code that reads untrusted bytes, and saves the inputs at which it hangs, dies, throws
 * an undocumented error, or exceeds the bounds of one input. Exit 1 when there are findings.
 *
 * `npm run fuzz -- TARGET --replay FILE` tries one input; with `--shrink` also smaller ones.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { saveFinding, shrinkInput } from './engine/findings.ts';
import { fuzzTarget, replayInputs, type RunResult } from './engine/supervisor.ts';
import { TARGETS } from './targets.ts';

const names = Object.keys(TARGETS);
const USAGE = `npm run fuzz -- TARGET|all [--inputs N] [--seed S] [--seconds T] [--json]
     npm run fuzz -- TARGET --replay FILE [--shrink]
Targets: ${names.join(', ')}`;

function readCommandLine() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      inputs: { type: 'string', default: '1000000' },
      seed: { type: 'string', default: String(randomInt(2 ** 32)) },
      /** In total; every target gets the same share. */
      seconds: { type: 'string', default: '3600' },
      json: { type: 'boolean', default: false },
      replay: { type: 'string' },
      shrink: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [given = ''] = positionals;
  const [inputs, seconds, seed] = [values.inputs, values.seconds, values.seed].map(Number) as [
    number,
    number,
    number,
  ];
  if (values.help) return usage();
  if (given !== 'all' && !names.includes(given)) throw new Error(`Unknown target '${given}'.`);
  if (![inputs, seconds, seed].every((n) => n >= 0)) throw new Error('Not a number.');
  return { ...values, given, inputs, seconds, seed };
}

function usage(): never {
  console.log(USAGE);
  process.exit(0);
}

function commandLine(): ReturnType<typeof readCommandLine> {
  try {
    return readCommandLine();
  } catch (error) {
    console.error(`${(error as Error).message}\nFix: ${USAGE}`);
    process.exit(2);
  }
}

const { given, inputs, seconds, seed, json, replay, shrink } = commandLine();
const print = (line: string) => process.stderr.write(`${line}\n`);

if (replay !== undefined) {
  const [finding] = await replayInputs(given, [replay]);
  print(
    finding === undefined
      ? 'nothing found'
      : `${finding.kind}: ${finding.message}\n${finding.stack}`,
  );
  if (finding !== undefined && shrink) {
    const [path, size] = await shrinkInput(given, finding);
    print(`the smallest found has ${size} bytes: ${path}`);
  }
  process.exit(finding === undefined ? 0 : 1);
}

const chosen = given === 'all' ? names : [given];
const results: RunResult[] = [];
print(`seed ${seed}`);
for (const target of chosen) {
  let reportedAt = performance.now();
  const result = await fuzzTarget({
    target,
    seed,
    inputs,
    seconds: seconds / chosen.length,
    progress(count) {
      if (performance.now() - reportedAt < 10_000) return;
      reportedAt = performance.now();
      print(`${target}: ${count} inputs`);
    },
  });
  results.push(result);
  const rate = Math.round(result.inputs / result.seconds);
  const taken = Math.round((100 * result.accepted) / Math.max(1, result.inputs));
  print(
    `${target}: ${result.inputs} inputs, ${rate}/s, ${taken} % accepted, peak ${Math.round(result.peakBytes / 2 ** 20)} MiB, ${result.findings.length} found`,
  );
  for (const finding of result.findings) {
    const path = saveFinding(target, finding);
    print(`  ${finding.kind} at input ${finding.index}: ${finding.message}`);
    print(finding.stack.replaceAll(/^/gm, '    '));
    print(`  npm run fuzz -- ${target} --replay ${path}`);
  }
}
if (json) console.log(JSON.stringify({ seed, results }));
// A target that was never reached has proved nothing.
process.exit(results.some(({ findings, inputs }) => findings.length > 0 || inputs === 0) ? 1 : 0);

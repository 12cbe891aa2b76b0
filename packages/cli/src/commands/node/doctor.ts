/** `skein doctor`: checks this machine, and prints the exact fix for each gap. */
import { defineCommand } from '../../command-line/command.ts';
import { dataFolder, dataOption } from '../../connection/connection.ts';
import type { Check, Finding } from '../../doctor/check.ts';
import { displayWidth, type Style } from '../../output/style.ts';

export interface Diagnosis {
  readonly healthy: boolean;
  readonly findings: readonly Finding[];
}

export const doctor = defineCommand({
  name: 'doctor',
  summary: 'Check what Skein needs on this machine, with the exact fix for each gap.',
  details:
    'A piece marked as missing is optional: serving on a CPU does not need it. Exits 1 only when a required piece is broken.',
  examples: { 'skein doctor': 'Everything at once' },
  arguments: {},
  options: { data: dataOption },
  async run(context, { data }): Promise<Diagnosis> {
    const checks = await loadChecks();
    const around = {
      dataFolder: dataFolder(context, data),
      httpPort: 4700,
      grpcPort: 4701,
      env: context.env,
    };
    const findings = await Promise.all(checks.map((check) => check(around)));
    const healthy = findings.every(({ status, needed }) => status !== 'broken' || !needed);
    return { healthy, findings };
  },
  render({ findings, healthy }, style) {
    const width = Math.max(...findings.map((finding) => displayWidth(finding.name)));
    const lines = findings.flatMap((finding) => {
      const line = `${mark(finding, style)} ${finding.name.padEnd(width)}  ${finding.detail}`;
      const fix = `${' '.repeat(10 + width)}${style.dim('fix:')} ${finding.fix}`;
      return finding.fix === undefined ? [line] : [line, fix];
    });
    const verdict = healthy
      ? style.green('Skein can serve on this machine.')
      : style.red('Something that Skein needs is broken.');
    return [...lines, '', verdict].join('\n');
  },
  exitCode: ({ healthy }) => (healthy ? 0 : 1),
});

export async function loadChecks(): Promise<readonly Check[]> {
  const [machine, onnxRuntime, redis, components, sandboxes] = await Promise.all([
    import('../../doctor/machine.ts'),
    import('../../doctor/onnx-runtime.ts'),
    import('../../doctor/redis.ts'),
    import('../../doctor/components.ts'),
    import('../../doctor/sandboxes.ts'),
  ]);
  return [
    machine.checkNode,
    machine.checkCores,
    machine.checkMemory,
    machine.checkDisk,
    machine.checkHttpPort,
    machine.checkGrpcPort,
    onnxRuntime.checkOnnxRuntime,
    ...onnxRuntime.acceleratorChecks,
    redis.checkRedis,
    components.checkDocker,
    components.checkBubblewrap,
    sandboxes.checkSandboxes,
    sandboxes.checkKubernetes,
    components.checkChromium,
  ];
}

function mark({ status }: Finding, style: Style): string {
  if (status === 'ok') return style.green('ok     ');
  return status === 'missing' ? style.yellow('missing') : style.red('broken ');
}

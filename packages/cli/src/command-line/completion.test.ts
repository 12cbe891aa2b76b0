import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { COMMAND_NAMES, loadCommands } from '../commands.ts';
import { completionScript, SHELLS } from './completion.ts';

const folder = testFolder();
let script: string;

beforeAll(async () => {
  script = join(folder, 'skein.bash');
  writeFileSync(script, completionScript('bash', await loadCommands()));
  writeFileSync(join(folder, 'model.onnx'), '');
});

/** Completions of a real bash for the last word. `skein` itself is a stand-in that lists two deployments. */
function complete(...words: string[]): string[] {
  const program = `
    skein() { [ "$1 $2" = "ls --names" ] && printf 'ocr\\nrisk\\n'; }
    source ${JSON.stringify(script)}
    COMP_WORDS=(skein "$@"); COMP_CWORD=$#
    _skein
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const bash = spawnSync('bash', ['--norc', '-c', program, 'bash', ...words], {
    cwd: folder,
    encoding: 'utf8',
  });
  expect(bash.stderr).toBe('');
  return bash.stdout.split('\n').filter((line) => line !== '');
}

describe('the bash script', () => {
  it('offers the commands, and the further words of groups', () => {
    const first = new Set(COMMAND_NAMES.map((name) => name.split(' ')[0] ?? ''));
    expect(complete('')).toEqual([...first]);
    expect(complete('ro')).toEqual(['rollout', 'rollback']);
    expect(complete('keys', '')).toEqual(['create', 'generate', 'ls', 'show', 'revoke']);
    expect(complete('queue', 's')).toEqual(['schedule']);
    expect(complete('queue', 'schedule', '')).toEqual(['ls', 'put', 'rm']);
  });

  it('offers the options of the command', () => {
    expect(complete('deploy', '--fin')).toEqual(['--finite-only']);
    expect(complete('keys', 'create', '--sc')).toEqual(['--scope']);
    expect(complete('queue', 'schedule', 'put', 'nightly', '--cr')).toEqual(['--cron']);
    expect(complete('queue', 'ls', '--cr')).toEqual([]);
    expect(complete('ls', '--')).toContain('--json');
  });

  it('offers the values of an option', () => {
    expect(complete('deploy', 'x.onnx', '--isolation', '')).toEqual(['auto', 'thread', 'process']);
    expect(complete('up', '--example', 'o')).toEqual(['ocr']);
    expect(complete('completion', '')).toEqual([...SHELLS]);
  });

  it('offers files where a file goes, and deployments of the running node', () => {
    expect(complete('deploy', 'mod')).toEqual(['model.onnx']);
    expect(complete('infer', 'ocr', '--image', '')).toContain('model.onnx');
    expect(complete('show', '')).toEqual(['ocr', 'risk']);
  });

  it('offers nothing where only the person can know', () => {
    expect(complete('deploy', 'model.onnx', '--name', '')).toEqual([]);
  });
});

describe.each(['zsh', 'fish'] as const)('the %s script', (shell) => {
  it('names every command and its options', async () => {
    const commands = await loadCommands();
    const text = completionScript(shell, commands);
    for (const { name } of commands) {
      for (const word of name.split(' ')) expect(text).toContain(word);
    }
    expect(text).toContain('canary');
    expect(text).toContain('max-connections');
  });
});

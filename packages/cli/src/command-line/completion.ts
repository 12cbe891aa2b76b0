/**
 * Shell completion, generated from the command table. The scripts hold every word that they offer,
 * so that a Tab does not start Node; only names of deployments are requested, from a running node.
 */
import { defineCommand, optionName } from './command.ts';
import { loadCommands, type AnyCommand } from '../commands.ts';
import { COMMON_OPTIONS } from './help.ts';
import { choiceArgument, type Option } from './option.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

const GENERATORS: Readonly<Record<Shell, (commands: readonly AnyCommand[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export function completionScript(shell: Shell, commands: readonly AnyCommand[]): string {
  return GENERATORS[shell](commands);
}

/** Names of deployments; empty when no node answers. */
const DEPLOYMENTS = 'skein ls --names 2>/dev/null';

function flagsOf(command: AnyCommand): string[] {
  const own = Object.entries(command.options).flatMap(([key, option]) => [
    `--${optionName(key)}`,
    ...(option.short === undefined ? [] : [`-${option.short}`]),
  ]);
  return [...own, ...Object.keys(COMMON_OPTIONS).map((name) => `--${name}`)];
}

/** Possible next words after each prefix of a command's name, each once; the empty prefix has the first words. */
function words(commands: readonly AnyCommand[]): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, Set<string>>();
  for (const { name } of commands) {
    const path = name.split(' ');
    for (const [index, word] of path.entries()) {
      const before = path.slice(0, index).join(' ');
      groups.set(before, (groups.get(before) ?? new Set()).add(word));
    }
  }
  return new Map([...groups].map(([before, next]) => [before, [...next]]));
}

function bashScript(commands: readonly AnyCommand[]): string {
  const groupCases = [...words(commands)].map(
    ([before, next]) => `      "${before}") words="${next.join(' ')}" ;;`,
  );
  const commandCases = commands.map((command) => bashCommandCase(command));
  return `# bash completion for skein. Install: skein completion bash > ~/.local/share/bash-completion/completions/skein
_skein_deployments() { ${DEPLOYMENTS}; }
_skein() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local command="" words="" place=1 kind="" flags=""
  COMPREPLY=()
  while :; do
    words=""
    case "$command" in
${groupCases.join('\n')}
    esac
    if [ -z "$words" ]; then break; fi
    if [ "$COMP_CWORD" -eq "$place" ]; then
      COMPREPLY=($(compgen -W "$words" -- "$current"))
      return
    fi
    command="\${command:+$command }\${COMP_WORDS[place]}"
    place=$((place + 1))
  done
  case "$command" in
${commandCases.join('\n')}
  esac
  case "$current" in
    -*) kind="words"; words="$flags" ;;
  esac
  case "$kind" in
    file) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$current")) ;;
    folder) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$current")) ;;
    deployment) COMPREPLY=($(compgen -W "$(_skein_deployments)" -- "$current")) ;;
    words) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
  esac
}
complete -F _skein skein
`;
}

function bashCommandCase(command: AnyCommand): string {
  const optionCases = Object.entries(command.options)
    .filter(([, option]) => option.placeholder !== undefined)
    .map(([key, option]) => {
      const names = [
        `--${optionName(key)}`,
        ...(option.short === undefined ? [] : [`-${option.short}`]),
      ];
      return `        ${names.join('|')}) ${bashKind(option)} ;;`;
    });
  const [argument] = Object.values(command.arguments);
  const fallback = argument === undefined ? 'kind=""' : bashKind(argument);
  return [
    `    "${command.name}")`,
    `      flags="${flagsOf(command).join(' ')}"`,
    '      case "$previous" in',
    ...optionCases,
    `        *) ${fallback} ;;`,
    '      esac ;;',
  ].join('\n');
}

function bashKind(of: Pick<Option<unknown>, 'choices' | 'completes'>): string {
  if (of.choices !== undefined) return `kind="words"; words="${of.choices.join(' ')}"`;
  return of.completes === 'nothing' ? 'kind="nothing"' : `kind="${of.completes}"`;
}

function zshScript(commands: readonly AnyCommand[]): string {
  const summaryOf = new Map(commands.map((command) => [command.name, command.summary]));
  const groupCases = [...words(commands)].map(([before, next]) => {
    const items = next.map((word) => {
      const name = before === '' ? word : `${before} ${word}`;
      return zshQuote(`${word}:${summaryOf.get(name) ?? `manage ${word}`}`);
    });
    return `      ${zshQuote(before)}) group=(${items.join(' ')}) ;;`;
  });
  const commandCases = commands.map((command) => {
    const specs = [
      ...Object.entries(command.options).map(([key, option]) => zshOption(optionName(key), option)),
      ...Object.entries(COMMON_OPTIONS).map(([name, meaning]) =>
        zshQuote(`--${name}[${zshText(meaning)}]`),
      ),
      ...Object.values(command.arguments).map((argument, index) =>
        zshQuote(`${index + 1}:${zshText(argument.placeholder)}:${zshAction(argument)}`),
      ),
    ];
    return `    ${zshQuote(command.name)}) _arguments -s ${specs.join(' ')} ;;`;
  });
  return `#compdef skein
# zsh completion for skein. Install: skein completion zsh > "\${fpath[1]}/_skein"
_skein_deployments() { local -a names; names=(\${(f)"$(${DEPLOYMENTS})"}); compadd -a names; }
_skein() {
  local command=""
  local -a group
  while true; do
    group=()
    case "$command" in
${groupCases.join('\n')}
    esac
    if (( ! $#group )); then break; fi
    if (( CURRENT == 2 )); then _describe command group; return; fi
    command="\${command:+$command }$words[2]"
    shift words; (( CURRENT-- ))
  done
  case "$command" in
${commandCases.join('\n')}
  esac
}
if [ "$funcstack[1]" = "_skein" ]; then _skein "$@"; else compdef _skein skein; fi
`;
}

function zshOption(name: string, option: Option<unknown>): string {
  const repeat = option.repeats ? '*' : '';
  const taken =
    option.placeholder === undefined ? '' : `:${zshText(option.placeholder)}:${zshAction(option)}`;
  const spec = (flag: string): string =>
    zshQuote(`${repeat}${flag}[${zshText(option.summary)}]${taken}`);
  return option.short === undefined
    ? spec(`--${name}`)
    : `${spec(`--${name}`)} ${spec(`-${option.short}`)}`;
}

function zshAction(of: Pick<Option<unknown>, 'choices' | 'completes'>): string {
  if (of.choices !== undefined) return `(${of.choices.join(' ')})`;
  if (of.completes === 'file') return '_files';
  if (of.completes === 'folder') return '_files -/';
  return of.completes === 'deployment' ? '_skein_deployments' : ' ';
}

function zshText(text: string): string {
  return text.replaceAll(/[[\]:\\]/g, (character) => `\\${character}`);
}

function zshQuote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function fishScript(commands: readonly AnyCommand[]): string {
  const summaryOf = new Map(commands.map((command) => [command.name, command.summary]));
  const lines = [
    '# fish completion for skein. Install: skein completion fish > ~/.config/fish/completions/skein.fish',
    `function __skein_deployments; ${DEPLOYMENTS}; end`,
    'complete -c skein -f',
  ];
  for (const [before, next] of words(commands)) {
    const here =
      before === ''
        ? '__fish_use_subcommand'
        : fishQuote(
            [...before.split(' ').map(fishSeen), `not ${fishSeen(next.join(' '))}`].join('; and '),
          );
    for (const word of next) {
      const name = before === '' ? word : `${before} ${word}`;
      const summary = summaryOf.get(name) ?? `manage ${word}`;
      lines.push(`complete -c skein -n ${here} -a ${word} -d ${fishQuote(summary)}`);
    }
  }
  for (const command of commands) {
    const seen = command.name.split(' ').map(fishSeen).join('; and ');
    const start = `complete -c skein -n '${seen}'`;
    for (const [key, option] of Object.entries(command.options)) {
      const short = option.short === undefined ? '' : ` -s ${option.short}`;
      const taken = option.placeholder === undefined ? '' : ` -r${fishAction(option)}`;
      lines.push(`${start} -l ${optionName(key)}${short}${taken} -d ${fishQuote(option.summary)}`);
    }
    for (const argument of Object.values(command.arguments)) {
      const action = fishAction(argument);
      if (action !== '') lines.push(`${start}${action}`);
    }
    for (const [name, meaning] of Object.entries(COMMON_OPTIONS)) {
      lines.push(`${start} -l ${name} -d ${fishQuote(meaning)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function fishSeen(words: string): string {
  return `__fish_seen_subcommand_from ${words}`;
}

function fishAction(of: Pick<Option<unknown>, 'choices' | 'completes'>): string {
  if (of.choices !== undefined) return ` -a ${fishQuote(of.choices.join(' '))}`;
  if (of.completes === 'file') return ' -F';
  if (of.completes === 'folder') return " -a '(__fish_complete_directories)'";
  return of.completes === 'deployment' ? " -a '(__skein_deployments)'" : '';
}

function fishQuote(text: string): string {
  return `'${text.replaceAll(/['\\]/g, (character) => `\\${character}`)}'`;
}

/** `skein completion`: a script for the shell. */
export const completion = defineCommand({
  name: 'completion',
  summary: 'Print a completion script for bash, zsh or fish.',
  examples: { 'source <(skein completion bash)': 'Complete in this shell' },
  arguments: { shell: choiceArgument('SHELL', SHELLS, 'bash, zsh or fish.') },
  options: {},
  async run(_context, { shell }) {
    return { shell, script: completionScript(shell, await loadCommands()) };
  },
  render: ({ script }) => script,
});

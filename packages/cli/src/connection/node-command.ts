/** Commands that use a node: they take the options of a connection, and begin when they have one. */
import {
  type ArgumentSpecs,
  type ArgumentValues,
  type Command,
  type CommandText,
  type Context,
  defineCommand,
  type OptionSpecs,
  type OptionValues,
} from '../command-line/command.ts';
import {
  connect,
  type Connection,
  type ConnectionChoice,
  connectionOptions,
} from './connection.ts';

// oxlint-disable-next-line typescript/no-generated-empty-object-type -- a command without any has no names to offer
type None = Readonly<Record<never, never>>;

export interface NodeCommand<
  Node,
  A extends ArgumentSpecs,
  O extends OptionSpecs,
  R,
> extends CommandText<R> {
  readonly arguments?: A;
  /** Options in addition to the connection's. */
  readonly options?: O;
  run(node: Node, input: ArgumentValues<A> & OptionValues<O>, context: Context): Promise<R>;
}

/** @param use finds what the commands use, and ends it after their work. */
export function commandOver<Node>(
  use: <T>(
    context: Context,
    choice: ConnectionChoice,
    work: (node: Node) => Promise<T>,
  ) => Promise<T>,
) {
  return <const A extends ArgumentSpecs = None, const O extends OptionSpecs = None, R = unknown>(
    command: NodeCommand<Node, A, O, R>,
  ): Command<A, O & typeof connectionOptions, R> => {
    const { arguments: specs = {} as A, options = {} as O } = command;
    const own = { ...specs, ...options };
    return defineCommand({
      ...command,
      arguments: specs,
      options: { ...options, ...connectionOptions },
      async run(context, input) {
        const values = Object.entries(input).filter(([name]) => name in own);
        const given = Object.fromEntries(values) as typeof input;
        return use(context, input, (node) => command.run(node, given, context));
      },
    });
  };
}

/** A command that talks to a running node. */
export const nodeCommand = commandOver<Connection>(async (context, choice, work) =>
  work(await connect(context, choice)),
);

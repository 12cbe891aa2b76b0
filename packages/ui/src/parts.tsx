/**
 * Components that many views share. Text is always inserted as text, so no markup can be injected.
 */
import { SkeinError } from '@skein/api/errors';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { commands } from './commands.ts';
import { ago } from './format.ts';
import type { Poke } from './fresh.ts';
import { explanationOf, isAboutKey } from './session.ts';

export type Tone = 'good' | 'warn' | 'bad' | 'accent' | 'plain' | 'danger';

export interface WithChildren {
  readonly children?: ComponentChildren;
}

export interface Of<Shown> {
  readonly of: Shown;
}

/** Has actions, which may fail. */
export interface Failing {
  /** @param error of the last action; undefined when another one begins. */
  readonly failed: (error: unknown) => void;
}

/** Has actions that change what is shown. */
export interface Changing extends Failing {
  readonly changed: Poke;
}

/** The heading of a view, which takes the focus when the address leads to it. */
export function Heading({ children, focus }: WithChildren & { readonly focus?: boolean }) {
  const element = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (focus === true) element.current?.focus({ preventScroll: true });
  }, [focus]);
  return (
    <h2 ref={element} tabIndex={-1}>
      {children}
    </h2>
  );
}

export function Chip({
  tone,
  title,
  children,
}: WithChildren & { readonly tone: Tone; readonly title?: string | undefined }) {
  return (
    <span class="chip" data-tone={tone} title={title}>
      {children}
    </span>
  );
}

export type Fact = readonly [term: string, value: ComponentChildren];

/** Terms and their values; a term without a value is left out. */
export function Facts({ of }: { readonly of: readonly Fact[] }) {
  const shown = of.filter(([, value]) => value !== undefined && value !== '' && value !== null);
  return (
    <dl class="facts">
      {shown.map(([term, value]) => (
        <>
          <dt>{term}</dt>
          <dd>{value}</dd>
        </>
      ))}
    </dl>
  );
}

/** A progress bar. @param fraction from 0 to 1. */
export function Progress({
  fraction,
  label,
}: {
  readonly fraction: number;
  readonly label: string;
}) {
  return (
    <span
      class="progress"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(fraction * 100)}
    >
      <i style={{ width: `${(fraction * 100).toFixed(1)}%` }} />
    </span>
  );
}

/**
 * A panel with a table that scrolls within it. Where the page is narrow, a `list` shows a card per
 * row, and each cell its column's title.
 */
export function Table({
  titles,
  kind = 'list',
  hidden,
  children,
}: WithChildren & {
  readonly titles: readonly ComponentChildren[];
  readonly kind?: string;
  readonly hidden?: boolean;
}) {
  return (
    <div class="panel scroll" hidden={hidden}>
      <table class={kind} style={Object.fromEntries(titles.map(titleVariable))}>
        <thead>
          <tr>{titles.map((title) => (title === '' ? <td /> : <th scope="col">{title}</th>))}</tr>
        </thead>
        {children}
      </table>
    </div>
  );
}

/** A title as text for the style sheet, such as `--title-2: "State"`. */
function titleVariable(title: ComponentChildren, index: number): [string, string] {
  return [`--title-${index + 1}`, JSON.stringify(typeof title === 'string' ? title : '')];
}

/** Shows that a list is empty, and names the command that fills it. */
export function Empty({ command, children }: WithChildren & { readonly command?: string }) {
  return (
    <div class="panel empty">
      <p>{children}</p>
      {command === undefined ? null : (
        <pre>
          <code>{commands(command)}</code>
        </pre>
      )}
    </div>
  );
}

/** Shows an error. @param onKey offers to enter another key when that may help. */
export function Trouble({
  error,
  onKey,
}: {
  readonly error: unknown;
  readonly onKey?: (error: SkeinError) => void;
}) {
  return (
    <div class="trouble" role="alert" hidden={error === undefined}>
      {error === undefined ? null : <p>{explain(error)}</p>}
      {onKey !== undefined && isAboutKey(error) ? (
        <button type="button" onClick={() => onKey(error)}>
          Use another key
        </button>
      ) : null}
    </div>
  );
}

/** No answer came to an action. Unlike the loads of a view it is not tried again, and may be done. */
class Unanswered extends Error {
  override readonly name = 'Unanswered';
}

function explain(error: unknown): string {
  if (error instanceof Unanswered) {
    return 'The server did not answer, so it is not known whether this was done: look, and try again.';
  }
  if (!(error instanceof SkeinError)) return 'The page has a fault; reload it.';
  if (error.code === 'NODE_UNREACHABLE') return 'The server does not answer; trying again.';
  return explanationOf(error);
}

/**
 * A button that cannot be pressed again before its action has ended. It keeps the focus of the
 * keyboard, which a button with the attribute `disabled` loses.
 */
export function ActionButton({
  action,
  failed,
  tone,
  hidden,
  children,
}: WithChildren &
  Failing & {
    readonly action: () => Promise<unknown>;
    readonly tone?: Tone;
    readonly hidden?: boolean;
  }) {
  const [busy, setBusy] = useState(false);
  const press = async (): Promise<void> => {
    if (busy) return;
    setBusy(true);
    failed(undefined);
    try {
      await action();
    } catch (error) {
      const isAnswered = !(error instanceof SkeinError && error.code === 'NODE_UNREACHABLE');
      failed(isAnswered ? error : new Unanswered());
    }
    setBusy(false);
  };
  return (
    <button
      type="button"
      class="act"
      data-tone={tone}
      aria-disabled={busy}
      hidden={hidden}
      onClick={() => void press()}
    >
      {children}
    </button>
  );
}

/** The age of a time, or the text of its children; and the exact moment. @param at ISO 8601. */
export function Moment({ at, children }: WithChildren & { readonly at: string }) {
  return (
    <time dateTime={at} title={new Date(at).toLocaleString()}>
      {children ?? ago(at)}
    </time>
  );
}

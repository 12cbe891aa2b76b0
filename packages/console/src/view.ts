/** A view of the console: its title, and its page for an address. */
import type { Route } from '@skein/ui';
import type { ComponentType } from 'preact';

/** The address that a view shows, and whether the person came to it from another view. */
export interface ViewProps {
  readonly route: Route;
  readonly focus: boolean;
}

export type Page = ComponentType<ViewProps>;

export interface View {
  readonly title: string;
  /** Absent: the address names no page. */
  readonly of: (parts: readonly string[]) => Page | undefined;
}

/** One page for each number of parts of the address. */
export const pages =
  (...all: readonly Page[]): View['of'] =>
  ({ length }) =>
    all[length];

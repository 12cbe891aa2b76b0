/** Parts that several pages of the judge share. */
import { SkeinError } from '@skein/api/errors';
import { fixOf, type WithChildren } from '@skein/ui';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';

/** A page under its title, which is also the title of the window. */
export function Titled({ title, children }: WithChildren & { readonly title: string }) {
  useEffect(() => {
    document.title = `${title} · Judge`;
  }, [title]);
  return <>{children}</>;
}

/** The fix is for callers of the API; a reader of a missing page needs the way back. */
export function Refusal({ error }: { readonly error: SkeinError }) {
  return (
    <div class="refusal" role="alert">
      <strong>{error.message}</strong>
      {error.row.http === 404 ? <a href="#/">All problems</a> : <span>{fixOf(error)}</span>}
    </div>
  );
}

/**
 * A page whose content is loaded: shows an error when that failed, and nothing before it has
 * loaded.
 */
export function Loading<Value>({
  value,
  error,
  children,
}: {
  readonly value: Value | undefined;
  readonly error: unknown;
  readonly children: (value: Value) => ComponentChildren;
}) {
  if (value !== undefined) return <>{children(value)}</>;
  if (error === undefined) return <p class="muted">Loading …</p>;
  return error instanceof SkeinError ? (
    <Refusal error={error} />
  ) : (
    <p class="refusal">The page has a fault; reload it.</p>
  );
}

/** Selectors of labels and fields, as in the addresses of lists and watches. */
import type { KubeObject } from './objects.ts';

export function matches(
  labels: Readonly<Record<string, string>> | undefined,
  wanted: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(wanted).every(([name, value]) => labels?.[name] === value);
}

/** A selector with equalities only: `a=b`, `a==b`, `a!=b`, `a`. */
export function selectorOf(
  text: string | null,
): (values: Readonly<Record<string, string>>) => boolean {
  const terms = (text ?? '').split(',').filter(Boolean);
  return (values) =>
    terms.every((term) => {
      const [, name = '', operator, value] = /^([^=!]+)(==|=|!=)?(.*)$/.exec(term) ?? [];
      const found = values[name];
      if (operator === undefined) return found !== undefined;
      return operator === '!=' ? found !== value : found === value;
    });
}

export function phaseOf(status: KubeObject['status']): string {
  const phase = status?.['phase'];
  return typeof phase === 'string' ? phase : '';
}

/** The fields that can be selected. */
export function fieldsOf({ metadata, status, ...rest }: KubeObject): Record<string, string> {
  const involved = (rest as { involvedObject?: Record<string, string> }).involvedObject ?? {};
  return {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace ?? '',
    'status.phase': phaseOf(status),
    ...Object.fromEntries(
      Object.entries(involved).map(([name, value]) => [`involvedObject.${name}`, value]),
    ),
  };
}

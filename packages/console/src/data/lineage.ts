/** The lineage of a version of a data set as the nodes of a picture. */
import type { DataVersionDetail } from '@skein/api';
import { safeLine } from '@skein/api/safe-text';
import { linkTo } from '@skein/ui';
import type { PictureNode } from '../picture.tsx';

/** Files of a kind that are shown; the page lists all. */
const FILES = 6;

export const nameOf = ({ name, version }: { name: string; version: string }): string =>
  `${name}@${version}`;

/** Files and versions it is made of, the job, the version, and all that was made of it. */
export function lineageOf(of: DataVersionDetail): PictureNode[] {
  const { from, uses } = of;
  const nodes: PictureNode[] = [];
  const add = (node: Omit<PictureNode, 'title'> & { readonly title?: string }): number =>
    nodes.push({
      ...node,
      label: safeLine(node.label),
      title: safeLine(node.title ?? node.label),
    }) - 1;
  const data = (each: { name: string; version: string }): string =>
    linkTo('data', [each.name, each.version]);

  const origins = (from.versions ?? []).map((each) =>
    add({ label: nameOf(each), tone: 'accent', href: data(each), column: 0, parents: [] }),
  );
  const files = from.files ?? [];
  for (const file of files.slice(0, FILES)) {
    origins.push(add({ label: file, tone: 'plain', column: 0, parents: [] }));
  }
  if (files.length > FILES) {
    const label = `${files.length - FILES} more`;
    origins.push(add({ label, tone: 'plain', column: 0, parents: [] }));
  }
  let column = origins.length === 0 ? 0 : 1;
  let parents: readonly number[] = origins;
  if (from.job !== undefined) {
    const href = linkTo('jobs', [from.job]);
    const label = `job ${from.job}`;
    parents = [add({ label, tone: 'good', href, column, parents })];
    column += 1;
  }
  const self = add({ label: nameOf(of), title: 'this version', tone: 'warn', column, parents });
  for (const each of uses.versions) {
    add({
      label: nameOf(each),
      tone: 'accent',
      href: data(each),
      column: column + 1,
      parents: [self],
    });
  }
  for (const { id, status, models } of uses.runs) {
    const href = linkTo('runs', [id]);
    const title = `${id}: ${status}`;
    const run = add({
      label: id,
      title,
      tone: 'good',
      href,
      column: column + 1,
      parents: [self],
    });
    for (const { model, version } of models) {
      add({
        label: `${model} v${version}`,
        tone: 'accent',
        href: linkTo(''),
        column: column + 2,
        parents: [run],
      });
    }
  }
  return nodes;
}

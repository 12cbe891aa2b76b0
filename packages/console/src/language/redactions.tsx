/** Replacements in prompts and answers, and their number. */
import type { LanguageView } from '@skein/api';
import { Table, type Of } from '@skein/ui';

export function Redactions({ of: view }: Of<LanguageView>) {
  const { redactions } = view.settings;
  if (redactions.length === 0) return null;
  return (
    <Table titles={['Redaction', 'Finds', 'In', 'Becomes', 'For', 'In prompts', 'In answers']}>
      <tbody>
        {redactions.map(({ name, kind, pattern, of, replacement, models, tenants }) => {
          const count = view.redactions.find((each) => each.name === name);
          return (
            <tr data-redaction={name}>
              <td>
                <strong>{name}</strong>
              </td>
              <td>{kind ?? <code>{pattern}</code>}</td>
              <td>{of === 'both' ? 'prompts, answers' : of}</td>
              <td>{replacement ?? `[${name}]`}</td>
              <td>{[...(models ?? ['all models']), ...(tenants ?? [])].join(', ')}</td>
              <td>{`${count?.prompts ?? 0} replaced`}</td>
              <td>{`${count?.answers ?? 0} replaced`}</td>
            </tr>
          );
        })}
      </tbody>
    </Table>
  );
}

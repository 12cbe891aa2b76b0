/** The console: which view, and the events that keep it current. */
import '@skein/ui/theme.css';
import './styles/console.css';
import './styles/views.css';
import { currentRoute, follow, routeOf } from '@skein/ui';
import type { NodeEvent } from '@skein/api/client';
import type { SkeinError } from '@skein/api/errors';
import { render } from 'preact';
import { App } from './app.tsx';
import { askForKey } from './key-dialog.tsx';
import { addDecisions, connection, hear, node, session, takeSamples } from './node.ts';

const HISTORY = 60;

const isServing = (): boolean => routeOf(location.hash).name === '';

/**
 * A key with the scope `jobs` alone works in their views; only the other views need another key.
 */
async function refused(error: SkeinError): Promise<void> {
  while (error.row.http === 403 && !isServing()) {
    connection.set('limited');
    await new Promise<void>((resolve) => {
      const ends: (() => void)[] = [];
      const changed = (): void => {
        for (const end of ends) end();
        resolve();
      };
      ends.push(currentRoute().subscribe(changed), session.key.subscribe(changed));
    });
    if (!isServing()) return;
  }
  await askForKey(error);
}

const listener = {
  connected(): void {
    connection.set('live');
    node()
      .listHistory({ limit: HISTORY })
      .then(({ entries }) => addDecisions(entries))
      .catch(() => {});
  },
  event(type: string, data: unknown): void {
    hear({ type, data } as NodeEvent);
  },
  lost(): void {
    connection.set('lost');
  },
  refused,
};

setInterval(takeSamples, 1000);
void follow(session, '/api/v1/events', listener, new AbortController().signal);
const root = document.querySelector('#page');
if (root !== null) render(<App />, root);

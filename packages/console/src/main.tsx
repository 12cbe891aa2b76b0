/** The console: which view, and the events that keep it current. */
import '@skein/ui/theme.css';
import './styles/console.css';
import './styles/views.css';
import { currentRoute, follow, routeOf } from '@skein/ui';
import type { NodeEvent } from '@skein/api/client';
import type { SkeinError } from '@skein/api/errors';
import { render } from 'preact';
import { App, isFromEvents } from './app.tsx';
import { askForKey } from './key-dialog.tsx';
import {
  addDecisions,
  connection,
  receive,
  node,
  refusal,
  removeUndeployed,
  session,
  takeSamples,
} from './node.ts';

const HISTORY = 60;

const needsEvents = (): boolean => isFromEvents(routeOf(location.hash));

/**
 * A key with the scope `jobs` alone works in their views; only the other views need another key.
 */
async function refused(error: SkeinError): Promise<void> {
  while (error.row.http === 403 && !needsEvents()) {
    connection.set('limited');
    await new Promise<void>((resolve) => {
      const ends: (() => void)[] = [];
      const changed = (): void => {
        for (const end of ends) end();
        resolve();
      };
      ends.push(currentRoute().subscribe(changed), session.key.subscribe(changed));
    });
    if (!needsEvents()) return;
  }
  connection.set('refused');
  refusal.set(error);
  await askForKey(error);
}

const listener = {
  connected(): void {
    connection.set('live');
    refusal.set(undefined);
    removeUndeployed().catch(() => {});
    node()
      .listHistory({ limit: HISTORY })
      .then(({ entries }) => addDecisions(entries))
      .catch(() => {});
  },
  event(type: string, data: unknown): void {
    receive({ type, data } as NodeEvent);
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

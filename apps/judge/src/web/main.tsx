/** The judge's page. */
import '@skein/ui/theme.css';
import './styles/base.css';
import './styles/judge.css';
import './styles/problem.css';
import './styles/tables.css';
import './styles/statement.css';
import './styles/verdict.css';
import { isAboutKey } from '@skein/ui';
import { render } from 'preact';
import { App } from './app.tsx';
import { get, me, session } from './judge-api.ts';

/** Signs in with the stored key; a key that is no longer valid is removed. */
async function signInAgain(): Promise<void> {
  if (session.key.value === undefined) return;
  try {
    me.set(await get('getMe'));
  } catch (error) {
    if (isAboutKey(error)) session.leave();
  }
}

await signInAgain();
const root = document.querySelector('#page');
if (root !== null) render(<App />, root);

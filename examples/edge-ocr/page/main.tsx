/** The page of the example. */
import '@skein/ui/theme.css';
import './app.css';
import { render } from 'preact';
import { App } from './app.tsx';

const root = document.querySelector('#page');
if (root !== null) render(<App />, root);

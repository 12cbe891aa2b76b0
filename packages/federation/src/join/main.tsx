/** The page of a browser's site. */
import '@skein/ui/theme.css';
import './join.css';
import { render } from 'preact';
import { JoinPage } from './join-page.tsx';

const root = document.querySelector('#page');
if (root !== null) render(<JoinPage />, root);

/** The theme of VitePress in the colours of Skein, with the fonts of the reader's system. */
import theme from 'vitepress/theme-without-fonts';
import './colours.css';

export default theme;
